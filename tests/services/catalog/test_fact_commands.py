"""Facts from the command line: keys, signing on another machine, stating, importing, exporting."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from andromede_core.documents.signed import read
from controlplane.catalog import epochs, signing_keys
from controlplane.catalog.models import Fact, OfficerKey
from controlplane.identity.models import User
from tests.facts import FIXTURES, sample_catalogue
from tests.world import make_zone

ADA = "Ada Martin"
STATEMENT = {
    "subject_kind": "zone",
    "subject_id": "fr-idf-1",
    "attribute": "keys.custody",
    "value": "provider_hsm",
    "valid_from": "2026-01-01T00:00:00Z",
}


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Any:
    def command(*arguments: object) -> str:
        capsys.readouterr()
        call_command(*map(str, arguments))
        return capsys.readouterr().out

    return command


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "officer.key"
    signing_keys.create_private_key(path)
    return path


@pytest.fixture
def officer(db: None, key: Path, run: Any, tmp_path: Path) -> str:
    """The id of the key, which is registered."""
    public = tmp_path / "officer.pub"
    public.write_text(signing_keys.public_part(signing_keys.read_private_key(key)))
    return str(run("officer_key", "register", public, "--officer", ADA)).strip()


def test_second_officer_signs_the_same_statement(run: Any, key: Path, tmp_path: Path) -> None:
    """Without a database."""
    new = write(tmp_path / "new.json", [STATEMENT])
    signed = tmp_path / "signed.json"
    signed.write_text(run("sign_facts", new, "--key", key, "--author", ADA))
    other = tmp_path / "other.key"
    signing_keys.create_private_key(other)
    first, second = json.loads(run("sign_facts", signed, "--agree", "--key", other))["facts"]
    assert [first] == json.loads(signed.read_text())["facts"]
    assert (second["p"], second["kid"] != first["kid"]) == (first["p"], True)


def write(path: Path, document: object) -> Path:
    path.write_text(json.dumps(document))
    return path


def test_officer_key_is_created_once(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "officer.key"
    public = run("officer_key", "create", "--out", path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert signing_keys.read_public_key(public) == public.strip()
    with pytest.raises(CommandError, match="File exists"):
        run("officer_key", "create", "--out", path)
    assert run("officer_key", "create", "--out", path, "--keep") == public


@pytest.mark.django_db
def test_officer_key_is_registered_and_revoked(run: Any, key: Path, tmp_path: Path) -> None:
    user = User.objects.create(email="ada@example.org")
    (tmp_path / "pub").write_text(signing_keys.public_part(signing_keys.read_private_key(key)))
    arguments = ["officer_key", "register", tmp_path / "pub", "--officer", ADA, "--key-id", "ada-1"]

    assert run(*arguments, "--user", "ada@example.org", "--not-after", "2027-01-01T00:00:00Z").strip() == "ada-1"

    row = OfficerKey.objects.get()
    assert (row.officer, row.user_id, row.not_after.year, row.revoked_at) == (ADA, user.pk, 2027, None)
    run("officer_key", "revoke", "ada-1")
    row.refresh_from_db()
    assert row.revoked_at is not None
    with pytest.raises(CommandError, match="no officer key 'nobody'"):
        run("officer_key", "revoke", "nobody")
    (tmp_path / "pub").write_bytes(b"\xff\xfe")
    with pytest.raises(CommandError, match="must be a public key"):
        run("officer_key", "register", tmp_path / "pub", "--officer", ADA)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda path: path.chmod(0o644), "others may read it"),
        (lambda path: path.write_text("no key"), "not a private key"),
        (lambda path: path.unlink(), "No such file"),
    ],
)
def test_unusable_key_file_is_refused(run: Any, key: Path, tmp_path: Path, spoil: Any, reason: str) -> None:
    spoil(key)
    with pytest.raises(CommandError, match=reason):
        run("sign_facts", write(tmp_path / "new.json", STATEMENT), "--key", key, "--author", ADA)


def test_signing_commands_need_no_database(key: Path, tmp_path: Path) -> None:
    """In a process of its own whose database is nowhere."""
    done = subprocess.run(
        [sys.executable, "manage.py", "sign_facts", "-", "--key", str(key), "--author", ADA],
        cwd=settings.BASE_DIR,
        env={"ANDROMEDE_SECRET_KEY": "x", "ANDROMEDE_DB_HOST": "/nowhere", "ANDROMEDE_VAR_DIR": str(tmp_path)},
        input=json.dumps(STATEMENT).encode(),
        capture_output=True,
        check=True,
    )
    (fact,) = json.loads(done.stdout)["facts"]
    assert fact["p"]["author"] == ADA
    assert fact["p"]["assertion"] == "self_declared"


def test_facts_signed_on_one_machine_are_stated_on_another(run: Any, officer: str, key: Path, tmp_path: Path) -> None:
    make_zone("fr-idf-1")
    other = STATEMENT | {"attribute": "keys.module", "value": None, "review_by": "2031-01-01T00:00:00Z"}
    signed = run("sign_facts", write(tmp_path / "new.json", [STATEMENT, other]), "--key", key, "--author", ADA)
    (tmp_path / "signed.json").write_text(signed)

    assert run("state_facts", tmp_path / "signed.json").startswith("facts: 2 stated, 0 superseded, 0 unchanged; epoch ")
    assert run("state_facts", tmp_path / "signed.json").startswith("facts: 0 stated, 0 superseded, 2 unchanged; epoch ")

    facts = {fact.attribute: fact for fact in Fact.objects.all()}
    assert facts["keys.custody"].value == "provider_hsm"
    assert (facts["keys.custody"].review_by - facts["keys.custody"].attested_at).days == 365
    assert facts["keys.module"].review_by.year == 2031


def test_signing_with_known_facts_adds_the_remainders(run: Any, officer: str, key: Path, tmp_path: Path) -> None:
    make_zone("fr-idf-1")
    (tmp_path / "1").write_text(run("sign_facts", write(tmp_path / "n", STATEMENT), "--key", key, "--author", ADA))
    run("state_facts", tmp_path / "1")
    change = STATEMENT | {"value": "customer_hyok", "valid_from": "2026-06-01T00:00:00Z"}
    (tmp_path / "alone").write_text(run("sign_facts", write(tmp_path / "n", change), "--key", key, "--author", ADA))
    with pytest.raises(CommandError, match="State the value for that period in the same request"):
        run("state_facts", tmp_path / "alone")
    (tmp_path / "known").write_text(run("export_catalogue", "--signed"))

    whole = run("sign_facts", tmp_path / "n", "--key", key, "--author", ADA, "--known", tmp_path / "known")

    (tmp_path / "whole").write_text(whole)
    assert "2 stated, 1 superseded" in run("state_facts", tmp_path / "whole")


def test_signature_export_states_the_same_facts_elsewhere(run: Any, officer: str, key: Path, tmp_path: Path) -> None:
    run("import_catalogue", FIXTURES / "catalogue.json", "--key", key, "--attested-at", "now")
    lines = run("export_catalogue", "--signed")
    assert {read(line.encode()).key_id for line in lines.splitlines()} == {officer}
    (tmp_path / "signed").write_text(lines)
    assert f" 0 superseded, {Fact.objects.count()} unchanged" in run("state_facts", tmp_path / "signed")


def test_new_key_re_signs_facts_of_an_old_key(run: Any, officer: str, key: Path, tmp_path: Path) -> None:
    make_zone("fr-idf-1")
    (tmp_path / "1").write_text(run("sign_facts", write(tmp_path / "n", STATEMENT), "--key", key, "--author", ADA))
    run("state_facts", tmp_path / "1")
    public = run("officer_key", "create", "--out", tmp_path / "second.key")
    (tmp_path / "second.pub").write_text(public)
    second = run("officer_key", "register", tmp_path / "second.pub", "--officer", "Grace").strip()
    (tmp_path / "known").write_text(run("export_catalogue", "--signed"))

    arguments = ["--key", tmp_path / "second.key", "--author", "Grace"]
    (tmp_path / "2").write_text(run("sign_facts", tmp_path / "known", *arguments))

    assert "1 stated, 1 superseded" in run("state_facts", tmp_path / "2")
    fact = Fact.objects.get(superseded_at=None)
    assert (fact.value, fact.author, fact.key_id) == ("provider_hsm", "Grace", second)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"{", "line 1: is not JSON"),
        (b'{"p": 1}\n{"p": ', "line 2: is not JSON"),
        (b"[5]", r"facts\[0\]: must be an object"),
        (b"\xff", "line 1: is not JSON"),
        (b"[" * 100_000, "line 1: is not JSON"),
        (json.dumps(STATEMENT | {"colour": "blue"}).encode(), r"facts\[0\]: unknown key 'colour'"),
        (json.dumps(STATEMENT | {"attested_at": "today"}).encode(), r"facts\[0\].attested_at: must be a moment"),
        (json.dumps(STATEMENT | {"attribute": ["x"]}).encode(), r"facts\[0\].attribute"),
        (
            json.dumps(STATEMENT | {"attribute": "location.lat", "value": 0.00001}).encode(),
            r"facts\[0\].value: must be a number from -90 to 90",
        ),
        (json.dumps(STATEMENT | {"value": "good"}).encode(), r"facts\[0\].value: must be one of"),
    ],
)
def test_unsignable_statement_is_refused(run: Any, key: Path, tmp_path: Path, text: bytes, reason: str) -> None:
    (tmp_path / "new").write_bytes(text)
    with pytest.raises(CommandError, match=reason):
        run("sign_facts", tmp_path / "new", "--key", key, "--author", ADA)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "text", ['{"facts": [{"p": {}, "kid": "x"}]}', '{"facts": [5]}', '{"p": {}, "kid": 1, "sig": ""}']
)
def test_unsigned_statement_is_refused(run: Any, tmp_path: Path, text: str) -> None:
    (tmp_path / "signed").write_text(text)
    with pytest.raises(CommandError, match=r"facts\[0\]: is not a signed statement"):
        run("state_facts", tmp_path / "signed")


def test_catalogue_import_command_is_repeatable(run: Any, officer: str, key: Path) -> None:
    command = ["import_catalogue", FIXTURES / "catalogue.json", "--key", key, "--attested-at", "now"]
    first = run(*command)
    epoch = epochs.current()
    assert first.startswith("6 regions, 9 parties, 14 zones; facts: ")
    assert " 0 stated, 0 superseded, " in run(*command)
    assert epochs.current() == epoch


def test_catalogue_export_command_output_is_importable(run: Any, officer: str, key: Path, tmp_path: Path) -> None:
    run("import_catalogue", FIXTURES / "catalogue.json", "--key", key, "--attested-at", "now")
    (tmp_path / "catalogue.json").write_text(run("export_catalogue"))
    assert " 0 stated, 0 superseded, " in run("import_catalogue", tmp_path / "catalogue.json", "--key", key)


def test_commands_refuse_with_a_message(run: Any, officer: str, key: Path, tmp_path: Path) -> None:
    wrong = sample_catalogue()
    wrong["zones"][2]["id"] = "fr-idf-1"
    for file, arguments, sentence in (
        (tmp_path / "none.json", [], "No such file"),
        (write(tmp_path / "wrong.json", wrong), [], r"zones\[2\].id: 'fr-idf-1' is in the file twice"),
        (FIXTURES / "catalogue.json", ["--key-id", "other"], "no officer key 'other'"),
        (FIXTURES / "catalogue.json", ["--attested-at", "2020-01-01T00:00:00Z"], "review date has passed"),
        (FIXTURES / "catalogue.json", ["--attested-at", "2020-01-01"], "is not a time"),
    ):
        with pytest.raises(CommandError, match=sentence):
            run("import_catalogue", file, "--key", key, *arguments)
    assert not Fact.objects.exists()
