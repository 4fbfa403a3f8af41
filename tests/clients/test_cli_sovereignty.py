"""Command line for officers, operators and auditors: signed facts, keys, relaxed policies, exemptions and evidence."""

import base64
import hashlib
import io
import json
import subprocess
import tarfile
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from andromede_core.evidence import witness
from scripts.polling import wait_until
from tests.clients.cli import CliResult, Inside, inside
from tests.clients.conftest import Live
from tests.limits import PATIENCE_S

pytestmark = pytest.mark.slow

HERE, THERE = "fr-idf-1", "de-rhein-1"
NOWHERE = "us-va-1"  # a zone without nodes, whose facts are in nobody's way
REASON = ("--reason", "A second site.")
DRY = "Dry run: this is the result; nothing was changed.\n"
OFFICER, OPERATOR = "sovereignty_officer", "duty_operator"


@dataclass(frozen=True)
class Case:
    """A project whose policy admits THERE alone and can be waived, with a volume from before that, which is HERE. It is
    in an organization of its own, with two officers."""

    folder: Path
    owner: Inside
    olga: Inside
    otto: Inside
    operator: Inside

    def key(self, name: str) -> Path:
        """A key pair, as a person makes it."""
        private, public = self.folder / f"{name}.key", self.folder / f"{name}.pub"
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", private], check=True)
        subprocess.run(["openssl", "pkey", "-in", private, "-pubout", "-out", public], check=True)
        return public

    def sign(self, name: str, text: str) -> str:
        terms = self.folder / "terms"
        terms.write_text(text)
        line = ["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", self.folder / f"{name}.key", "-in", terms]
        return base64.b64encode(subprocess.run(line, capture_output=True, check=True).stdout).decode()

    def file(self, name: str, document: object) -> str:
        path = self.folder / name
        path.write_text(json.dumps(document))
        return str(path)


def within_zones(*zones: str) -> dict[str, Any]:
    return {"atoms": [{"id": "home", "attr": "zone.id", "op": "in", "value": zones, "waivable": True}]}


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory, live: Live) -> Case:
    folder, manage = tmp_path_factory.mktemp("sovereignty"), live.cloud.stack.manage

    def person(name: str, *options: str) -> Inside:
        secret = manage("create_token", f"{name}@bastion.example", "--name", "laptop", *options)
        return inside(folder, live, secret, ANDROMEDE_PROJECT="vault")

    operator = inside(folder, live, live.operator, ANDROMEDE_PROJECT="vault")
    manage("create_user", "vera@bastion.example")
    operator.ok("organization", "create", "bastion", "--owner", "vera@bastion.example")
    owner = person("vera")
    owner.ok("project", "create", "vault", "--organization", "bastion")
    for name in ("olga", "otto"):
        invited = owner.ok("invitation", "create", f"{name}@bastion.example", "--role", OFFICER, "-o", "name")
        owner.ok("invitation", "accept", stdin=invited.out, ANDROMEDE_TOKEN="")
    created = Case(folder, owner, person("olga", "--role", OFFICER), person("otto", "--role", OFFICER), operator)
    owner.ok("volume", "create", "kept", "--size", "1", "--zone", HERE)
    owner.ok("policy", "set", created.file("policy.json", within_zones(THERE)))
    return created


def refused(result: CliResult, code: int, *words: str) -> None:
    """Check that the command failed with this code and these words."""
    assert (result.code, result.out) == (code, ""), result.err
    assert all(word in result.err for word in words), result.err


def test_looser_policy_needs_two_officers(case: Case) -> None:
    wider = case.file("wider.json", within_zones(HERE, THERE))
    would = case.olga.ok("proposal", "create", wider, *REASON, "--dry-run", "-o", "json")
    assert (would.json["change"], would.err) == ("looser", DRY)
    assert case.olga.ok("proposal", "list", "-o", "json").json == []
    created = case.olga.ok("proposal", "create", wider, *REASON)
    assert f"value=[{THERE}, {HERE}]" in created.out
    proposal = case.olga.ok("proposal", "list", "-o", "name").out.strip()
    assert created.err.endswith(f"andromede proposal approve {proposal}\n")
    assert case.olga.ok("proposal", "show", proposal, "-o", "json").json["state"] == "proposed"
    refused(case.owner("proposal", "approve", proposal), 7, OFFICER)
    refused(case.olga("proposal", "approve", proposal), 7, "Ask another person to approve it")
    assert case.otto.ok("proposal", "approve", proposal, "--dry-run").err == DRY
    assert case.otto.ok("proposal", "approve", proposal, "-o", "json").json["state"] == "approved"
    case.olga.ok("proposal", "withdraw", proposal)
    refused(case.olga("proposal", "create", "missing.yaml", *REASON), 2, "missing.yaml cannot be read: No such")
    # Without a project it is not the platform's, which nobody has named.
    refused(case.operator("proposal", "create", wider, *REASON, ANDROMEDE_PROJECT=""), 2, "--project")
    refused(case.operator("proposal", "create", wider, *REASON, "--platform"), 1, "proposal.not_needed")
    both = ("--platform", "--organization", "bastion")
    refused(case.operator("proposal", "create", wider, *REASON, *both), 2, "Pass only one of")


def test_author_of_a_policy_undoes_it(case: Case) -> None:
    tighter = {"atoms": [{"id": "slip", "attr": "zone.id", "op": "in", "value": [HERE, THERE]}]}
    case.olga.ok("policy", "set", case.file("slip.json", tighter), "--organization", "bastion")
    would = case.olga.ok("policy", "undo", "--organization", "bastion", "--dry-run", "-o", "json")
    assert (would.json["atoms"], would.json["change"], would.err) == ([], "looser", DRY)
    refused(case.otto("policy", "undo", "--organization", "bastion"), 1, "cannot be undone by you")
    assert case.olga.ok("policy", "undo", "--organization", "bastion", "-o", "json").json["version"] == 2
    assert case.owner.ok("policy", "undo", "--dry-run", "-o", "json").json["change"] == "looser"
    refused(case.operator("policy", "undo", "--platform"), 1, "cannot be undone by you")
    refused(case.operator("policy", "undo", "--classification", "hds"), 1, "cannot be undone by you")


def test_data_is_classified_and_declassified_by_two_officers(case: Case) -> None:
    words = ("classification", "create", "secret", case.file("policy.json", within_zones(THERE)))
    titles = ("--title", "Secrets", "--title-fr", "Secrets")
    assert case.olga.ok(*words, *titles, "--dry-run").err == DRY
    refused(case.olga("classification", "show", "bastion.secret"), 3)
    refused(case.owner(*words, *titles), 7, OFFICER)
    refused(case.olga(*words, *titles, "--on-drift", "pray"), 1, "flag, freeze, evacuate, stop")
    refused(case.olga(*words[:3], "missing.yaml", *titles), 2, "missing.yaml")
    created = case.olga.ok(*words, *titles, "--on-drift", "freeze", "--organization", "bastion", "-o", "json")
    assert (created.json["id"], created.json["drift_action"]) == ("bastion.secret", "freeze")
    assert "bastion.secret" in case.olga.ok("classification", "show", "bastion.secret").out
    options = ("--size", "1", "--classification", "bastion.secret", "-o", "json")
    volume = case.owner.ok("volume", "create", "patents", *options).json["id"]
    assert case.owner.ok("evidence", "lineage", volume, "-o", "json").json == []
    lost = ("proposal", "declassify", volume, "--reason", "They are published.")
    named = (*lost, "--classification", "bastion.secret")
    refused(case.olga(*lost), 1, "nothing is named")
    refused(case.olga(*lost, "--classification", "hds"), 1, "cannot be removed: hds")
    refused(case.owner(*named), 7, OFFICER)
    assert case.olga.ok(*named, "--dry-run").err == DRY
    proposed = case.olga.ok(*named, "-o", "json")
    assert (proposed.json["level"], proposed.json["classifications"]) == ("resource", ["bastion.secret"])
    assert "needs a second person" in proposed.err
    assert case.otto.ok("proposal", "approve", proposed.json["id"], "-o", "json").json["state"] == "approved"


def signed(case: Case, officer: str, key_id: str, value: str) -> dict[str, Any]:
    """Sign like manage.py sign_facts on the machine of the officer, who has the key."""
    payload: Mapping[str, Any] = {
        "subject_kind": "zone",
        "subject_id": NOWHERE,
        "attribute": "keys.module",
        "value": value,
        "valid_from": "2020-01-01T00:00:00Z",
        "valid_to": None,
        "attested_at": "2026-01-01T00:00:00Z",
        "review_by": "2100-01-01T00:00:00Z",
        "assertion": "self_declared",
        "evidence_sha256": "",
        "author": officer.title(),
    }
    text = json.dumps(payload, sort_keys=True, separators=(",", ":"))
    return {"p": payload, "kid": key_id, "sig": case.sign(officer, f"andromede/fact/v1\n{text}")}


def test_officer_key_is_added_and_revoked(case: Case) -> None:
    register, ada = ("officer-key", "create", "Ada"), str(case.key("ada"))
    refused(case.owner(*register, ada), 7, "operator")
    refused(case.operator(*register, "missing.pub"), 2, "missing.pub cannot be read: No such file")
    refused(case.operator(*register, "-", stdin="no key"), 1, "must be a public key in PEM")
    refused(case.operator(*register, ada, "--user", "ada@example.org"), 1, "user_id: Must be a valid UUID")
    assert case.operator.ok(*register, ada, "--dry-run").err == DRY
    assert case.operator.ok("officer-key", "list", "--officer", "Ada", "-o", "json").json == []
    key = case.operator.ok(*register, ada, "-o", "json")
    assert key.json["algorithm"] == "Ed25519" and "manage.py keyset_publish" in key.err
    assert case.operator.ok("officer-key", "list", "--officer", "Ada", "-o", "name").out.strip() == key.json["id"]
    revoke = ("officer-key", "revoke", key.json["id"])
    refused(case.operator(*revoke), 2, "--yes")
    assert case.operator.ok(*revoke, "--dry-run").err.endswith(DRY)
    case.operator.ok(*revoke, "-y")
    late = case.file("late.json", [signed(case, "ada", key.json["id"], "HSM")])
    refused(case.operator("fact", "state", late), 1, "revoked")


def test_signed_facts_are_stated(case: Case) -> None:
    key = case.operator.ok("officer-key", "create", "Bob", str(case.key("bob")), "-o", "name").out.strip()
    stated = {"facts": [signed(case, "bob", key, "HSM")]}
    file, known = case.file("signed.json", stated), ("fact", "list", "--key", key, "-o", "json")
    refused(case.owner("fact", "state", file), 7, "operator")
    refused(case.operator("fact", "state", "missing.json"), 2, "missing.json")
    refused(case.operator("fact", "state", "-", stdin="[]"), 2, "Standard input has no signed facts.")
    altered = json.dumps(stated).replace("HSM", "software")
    refused(case.operator("fact", "state", "-", stdin=altered), 1, "does not match the statement")
    unsigned = case.owner.ok("fact", "list", "--of", "zone", "--subject", HERE, "-o", "json").out
    assert len(case.operator("fact", "state", "-", stdin=unsigned).err.splitlines()) == 13, (
        "and not one for each member"
    )
    would = case.operator.ok("fact", "state", file, "--dry-run")
    assert would.err.endswith(DRY) and case.owner.ok(*known).json == []
    table = case.operator.ok("fact", "state", file)
    assert table.out.splitlines()[1].split()[:4] == ["zone", NOWHERE, "keys.module", "HSM"]
    assert "1 stated, " in table.err and "0 believed already." in table.err
    assert case.operator.ok("fact", "state", file, "-o", "json").json["unchanged"] == 1
    assert [each["value"] for each in case.owner.ok(*known).json] == ["HSM"]


@pytest.fixture(scope="module")
def approvers(case: Case, live: Live) -> dict[str, Inside]:
    """Return the approvers of exemptions by role, each with a key of the same name in the keyset."""
    people = {OFFICER: case.olga, OPERATOR: case.operator}
    for duty, who in people.items():
        account = who.ok("whoami", "-o", "json").json["user"]["id"]
        options = ("--key-id", duty, "--user", account, "--until", "2027-12-31")
        case.operator.ok("officer-key", "create", duty, str(case.key(duty)), *options)
    duties = ("--approver", f"{OFFICER}={OFFICER}@bastion", "--approver", f"{OPERATOR}={OPERATOR}")
    live.cloud.stack.manage("keyset_publish", "--root-key", str(live.cloud.stack.root_key), *duties)
    return people


def refusal(case: Case) -> str:
    result = case.owner("volume", "create", "now", "--size", "1", "--zone", HERE)
    refused(result, 1, "policy_unsatisfiable")
    return result.err.partition("placement explain ")[2].split()[0]


def test_invalid_exemption_request_is_refused(case: Case) -> None:
    ask = ("exemption", "request", refusal(case), "--reason", "The imaging has to run.", "--zone")
    assert case.owner.ok(*ask, HERE, "--dry-run").err == DRY
    refused(case.owner(*ask, THERE), 1, "no clause refuses zone")
    refused(case.owner(*ask, HERE, "--hours", "100"), 1, "hours")
    refused(case.operator(*ask, HERE), 7)


def test_exemption_is_approved_by_two_people(case: Case, approvers: dict[str, Inside]) -> None:
    ask = ("exemption", "request", refusal(case), "--zone", HERE, "--reason", "The imaging has to run.")
    asked = case.owner.ok(*ask, "--hours", "1", "-o", "json")
    exemption = asked.json["id"]
    assert asked.err.endswith(f"andromede exemption terms {exemption} --duty DUTY\n")
    create = ("volume", "create", "now", "--size", "1", "--zone", HERE, "--exemption", exemption)
    refused(case.owner(*create), 1, "0 of two required signatures", "exemption.unsigned")

    def approval(who: Inside, duty: str, *, key: str) -> tuple[str, ...]:
        terms = who.ok("exemption", "terms", exemption, "--duty", duty).out
        assert "The imaging has to run." in terms
        options = ("--duty", duty, "--key-id", duty, "--signature", case.sign(key, terms))
        return ("exemption", "approve", exemption, *options)

    wrong = approval(case.olga, OFFICER, key=OPERATOR)
    refused(case.olga(*wrong), 1, "is not valid")
    refused(case.olga(*wrong[:-1], "sixty-four bytes"), 1, "base64")
    refused(case.olga("exemption", "terms", exemption, "--duty", "captain"), 2, OFFICER, OPERATOR)
    right = approval(case.olga, OFFICER, key=OFFICER)
    refused(case.otto(*right), 1, "not this person's")
    refused(case.owner(*right), 7, OFFICER)
    assert case.olga.ok(*right, "--dry-run").err == DRY
    assert len(case.olga.ok(*right, "-o", "json").json["approvals"]) == 1
    refused(case.olga(*right), 1, "Two people with different duties")
    assert "to_sign" not in case.operator.ok(*approval(case.operator, OPERATOR, key=OPERATOR)).out
    assert case.owner.ok(*create, "-o", "json").json["zone"] == HERE
    shown = case.owner.ok("exemption", "show", exemption, "-o", "json").json
    assert (shown["use_count"], set(shown["to_sign"])) == (1, {OFFICER, OPERATOR})
    assert case.owner.ok("exemption", "list", "--zone", HERE, "-o", "name").out.strip() == exemption
    assert case.olga.ok("exemption", "report", "-o", "json").json["uses"] == 1
    assert case.olga.ok("exemption", "report", "--quarter", "2020-Q1", "-o", "json").json["asked"] == 0
    refused(case.olga("exemption", "report", "--quarter", "2020Q1"), 1, "such as 2026-Q4")


def until_now() -> tuple[str, str]:
    now = datetime.now(UTC)
    return f"{now - timedelta(days=1):%Y-%m-%d}", f"{now:%Y-%m-%dT%H:%M:%SZ}"


@pytest.fixture(scope="module")
def export(case: Case) -> Any:
    """Export all records so far, after they are in the log under a checkpoint."""
    asked = case.olga.ok("evidence", "export", *until_now(), "-o", "json")
    name = asked.json["id"]
    assert f"andromede evidence export-download {name} FILE" in asked.err

    def standing() -> Any:
        return case.olga.ok("evidence", "export-show", name, "-o", "json").json

    wait_until(lambda: standing()["state"] == "ready", limit_s=PATIENCE_S)
    return standing()


def test_evidence_is_exported(case: Case, export: Any) -> None:
    begin, end = until_now()
    assert case.olga.ok("evidence", "export", begin, end, "--dry-run").err == DRY
    refused(case.operator("evidence", "export", begin, end), 7, OFFICER)
    refused(case.olga("evidence", "export", "yesterday", "today"), 2, "not a date or time")
    refused(case.olga("evidence", "export", begin, "2100-01-01"), 1, "its end is in the future")
    file = case.folder / "evidence.tar"
    refused(case.operator("evidence", "export-download", export["id"], str(file)), 7)
    assert not file.exists()
    fetched = case.olga.ok("evidence", "export-download", export["id"], str(file))
    assert f"{export['size_bytes']} bytes in {file}" in fetched.err
    assert hashlib.sha256(file.read_bytes()).hexdigest() == export["sha256"]
    with tarfile.open(file) as archive:
        assert {"manifest.json", "verify.py"} <= set(archive.getnames())
    refused(case.olga("evidence", "export-download", export["id"], str(file)), 2, "already exists")
    refused(case.olga("evidence", "export-download", export["id"], "/nowhere/file"), 2, "cannot be written")


def test_checkpoint_is_shown_and_cosigned_by_a_witness(case: Case, live: Live, export: Any) -> None:
    volume = case.owner.ok("volume", "show", "kept", "-o", "json").json["id"]
    rows = case.owner.ok("evidence", "residency", volume).out.splitlines()
    assert rows[1].split()[:2] == ["storage", HERE]
    assert case.owner.ok("evidence", "residency", volume, "-o", "json").json["problems"] == []
    options = ("--sort", "created_at", "--limit", "1", "-o", "name")
    record = case.owner.ok("evidence", "list", "--resource", volume, *options).out.strip()
    assert case.owner.ok("evidence", "proof", record, "-o", "json").json["checkpoint"]
    assert int(case.owner.ok("evidence", "checkpoint").out.splitlines()[1]) > 0

    folder = str(case.folder / "witness")
    log = live.cloud.stack.manage("witness_add", output_of(witness.main, "init", folder, "auditor.example/w"))
    request = case.operator.ok("evidence", "witness-request").out
    line = output_of(witness.main, "cosign", folder, log, stdin=request)
    size = request.splitlines()[3]
    cosign = ("evidence", "cosign", "--line", line, "--size")
    refused(case.operator(*cosign, "3"), 1, "checkpoint")
    refused(case.operator("evidence", "cosign", "--size", size, "--line", "no line"), 1, "cosignature")
    assert case.operator.ok(*cosign, size, "--dry-run").err.endswith(DRY)
    assert case.operator.ok(*cosign, size).err == "Done.\n"
    assert case.operator.ok("evidence", "witness-request", "--old", size).out.startswith(f"old {size}\n")


def output_of(main: Any, *words: str, stdin: str = "") -> str:
    out = io.StringIO()
    with redirect_stdout(out), mock.patch("sys.stdin", io.StringIO(stdin)):
        assert main(words) == 0
    return out.getvalue().strip()


def test_drifted_resource_gets_a_plan(case: Case) -> None:
    """Made by the platform, some seconds after the policy of the project was set."""
    wait_until(lambda: case.owner.ok("plan", "list", "-o", "json").json != [], limit_s=PATIENCE_S)
    assert "drifted" in case.owner.ok("drift", "list", "--zone", HERE, "--state", "drifted").out
    plan = case.owner.ok("plan", "list", "-o", "name").out.strip()
    refused(case.operator("plan", "approve", plan), 7, "member")
    assert case.owner.ok("plan", "approve", plan, "--dry-run").err == DRY
    assert case.owner.ok("plan", "approve", plan, "-o", "json").json["state"] == "approved"
    refused(case.operator("plan", "execute", plan), 7, "member")
    assert "its execution is running" in case.owner.ok("plan", "execute", plan).err
    shown = case.owner.ok("plan", "show", plan)
    assert "drifted" not in shown.out and HERE in shown.out
    assert "its execution is paused" in case.owner.ok("plan", "pause", plan).err
    assert case.owner.ok("plan", "show", plan, "-o", "json").json["execution"] == "paused"
