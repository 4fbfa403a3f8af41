"""Commands that make the authority, enrol a node, change its inventory and list nodes."""

import io
import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID
from django.core.management import CommandError, call_command
from pytest_django import Settings

from agents.node import enrol
from agents.node import pki as agent_pki
from controlplane.audit.models import AuditEntry
from controlplane.catalog.models import Region, Zone
from controlplane.kernel import clock, key_files
from controlplane.nodes import signing_keys
from controlplane.nodes.errors import KeyMissing
from controlplane.nodes.management.commands.init_pki import PROCESSES
from controlplane.nodes.models import Inventory, Node

pytestmark = pytest.mark.django_db


@pytest.fixture
def pki(tmp_path: Path, settings: Settings) -> Path:
    settings.PKI_DIR = tmp_path / "pki"
    call_command("init_pki")
    Zone.objects.create(pk="fr-idf-1", region=Region.objects.create(pk="fr-idf", name="Île-de-France"))
    return tmp_path / "pki"


@pytest.fixture
def request_file(tmp_path: Path) -> Path:
    path = tmp_path / "node.csr"
    path.write_text(enrol.request(tmp_path / "node", "n1"))
    return path


def enrol_node(csr: Path, *more: str, zone: str = "fr-idf-1", address: str = "192.0.2.1:7443") -> None:
    call_command("enrol_node", "--name", "n1", "--zone", zone, "--address", address, "--csr", str(csr), *more)


def test_second_init_pki_keeps_existing_keys(pki: Path) -> None:
    before = {path.name: path.read_bytes() for path in pki.iterdir()}
    call_command("init_pki")
    assert {path.name: path.read_bytes() for path in pki.iterdir()} == before
    certified = {f"{name}.{kind}" for name in ("ca", "worker", "watcher", "web", "stream") for kind in ("crt", "key")}
    assert before.keys() == certified | {"root.key", "root.pub", "signer.key", "signer.pub", "log.key"}
    assert {path.stat().st_mode & 0o777 for path in pki.glob("*.key")} == {0o600}


def ends_at(path: Path) -> datetime:
    return x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc


def test_init_pki_renews_process_certificates_that_end_soon(pki: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With their keys, and for the same processes; the authority and the other keys stay as they are."""
    before = {path.name: path.read_bytes() for path in pki.iterdir()}
    later = clock.now() + timedelta(days=280)
    monkeypatch.setattr(clock, "now", lambda: later)

    call_command("init_pki", "--renew-days", "100")
    assert {path.name: path.read_bytes() for path in pki.iterdir()} == before

    call_command("init_pki", "--renew-days", "120")
    after = {path.name: path.read_bytes() for path in pki.iterdir()}
    assert after.keys() == before.keys()
    assert {name for name in after if after[name] != before[name]} == {f"{process}.crt" for process in PROCESSES}
    for process in PROCESSES:
        created = x509.load_pem_x509_certificate(after[f"{process}.crt"])
        old = x509.load_pem_x509_certificate(before[f"{process}.crt"])
        assert (created.public_key(), created.subject) == (old.public_key(), old.subject)
        assert ends_at(pki / f"{process}.crt") > later + timedelta(days=396)


def test_init_pki_renews_ended_certificates_by_default(pki: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    later = clock.now() + timedelta(days=398)
    monkeypatch.setattr(clock, "now", lambda: later)
    call_command("init_pki")
    assert ends_at(pki / "web.crt") > later


def test_node_certificate_is_renewed_for_the_same_key(
    pki: Path, request_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    enrol_node(request_file)
    before = Node.objects.get()
    later = clock.now() + timedelta(days=300)
    monkeypatch.setattr(clock, "now", lambda: later)

    out = tmp_path / "node.crt"
    call_command("certify_node", "n1", "--csr", str(request_file), "--out", str(out))

    enrol.install(tmp_path / "node", certificate=out.read_bytes(), ca=(pki / "ca.crt").read_bytes(), root=root_of(pki))
    after, created = Node.objects.get(), x509.load_pem_x509_certificate(out.read_bytes())
    assert agent_pki.identity(out.read_bytes()).node_id == before.pk
    assert (after.pk, after.public_key) == (before.pk, before.public_key)
    assert after.certificate_expires_at == created.not_valid_after_utc > before.certificate_expires_at
    assert after.certificate_sha256 == created.fingerprint(hashes.SHA256()).hex() != before.certificate_sha256
    assert AuditEntry.objects.filter(verb="node.certify", resource_id=before.pk).count() == 1


def root_of(pki: Path) -> bytes:
    return (pki / "root.pub").read_bytes()


@pytest.mark.parametrize(
    ("name", "key", "state", "sentence"),
    [
        ("n2", "node", "in-service", "no node 'n2'"),
        ("n1", "other", "in-service", "its key is not the node's"),
        ("n1", "node", "retired", "is retired"),
    ],
)
def test_renewal_for_another_node_or_key_is_refused(
    pki: Path, request_file: Path, tmp_path: Path, name: str, key: str, state: str, sentence: str
) -> None:
    enrol_node(request_file)
    Node.objects.update(admin_state=state)
    before = Node.objects.get().certificate_sha256
    request_file.write_text(enrol.request(tmp_path / key, "n1"))
    with pytest.raises(CommandError, match=sentence):
        call_command("certify_node", name, "--csr", str(request_file))
    assert Node.objects.get().certificate_sha256 == before


def test_node_keeps_its_certificate_when_the_new_one_cannot_be_written(
    pki: Path, request_file: Path, tmp_path: Path
) -> None:
    enrol_node(request_file)
    before = Node.objects.get().certificate_sha256
    out = tmp_path / "no" / "folder"
    with pytest.raises(CommandError, match="Nothing was renewed"):
        call_command("certify_node", "n1", "--csr", str(request_file), "--out", str(out))
    assert Node.objects.get().certificate_sha256 == before


def test_printed_certificate_is_installable_on_the_node(
    pki: Path, request_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    enrol_node(request_file, "--vcpus-ratio", "2.5", "--memory-reserved-mib", "512")

    certificate = capsys.readouterr().out.encode()
    root = (pki / "root.pub").read_bytes()
    enrol.install(tmp_path / "node", certificate=certificate, ca=(pki / "ca.crt").read_bytes(), root=root)
    node = Node.objects.get()
    assert str(node.pk) in x509.load_pem_x509_certificate(certificate).subject.rfc4514_string()
    assert (node.name, node.zone_id, node.address, node.state) == ("n1", "fr-idf-1", "192.0.2.1:7443", "enrolled")
    assert (float(node.inventory.vcpus_ratio), node.inventory.memory_mib_reserved) == (2.5, 512)


def test_certificate_is_written_to_a_file(pki: Path, request_file: Path, tmp_path: Path) -> None:
    enrol_node(request_file, "--out", str(tmp_path / "node.crt"))
    assert x509.load_pem_x509_certificate((tmp_path / "node.crt").read_bytes())


def test_node_is_not_enrolled_when_its_certificate_cannot_be_written(
    pki: Path, request_file: Path, tmp_path: Path
) -> None:
    with pytest.raises(CommandError, match="was not enrolled"):
        enrol_node(request_file, "--out", str(tmp_path / "no" / "folder"))
    assert not Node.objects.exists()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"zone": "nowhere"}, "There is no zone 'nowhere'"),
        ({"address": "192.0.2.1"}, "not HOST:PORT"),
        ({"address": "192.0.2.1:99999"}, "not HOST:PORT"),
        ({"csr": Path("/nonexistent")}, "Cannot read"),
        ({"csr": Path(__file__)}, "not a PEM certificate request"),
    ],
)
def test_invalid_enrolment_is_refused_with_a_message(
    pki: Path, request_file: Path, change: dict[str, object], sentence: str
) -> None:
    arguments: dict[str, object] = {"csr": request_file} | change
    with pytest.raises(CommandError, match=sentence):
        enrol_node(**arguments)  # type: ignore[arg-type]
    assert not Node.objects.exists()


def test_node_name_is_enrolled_once(pki: Path, request_file: Path) -> None:
    enrol_node(request_file)
    with pytest.raises(CommandError, match="already a node named 'n1'"):
        enrol_node(request_file)


def test_inventory_is_changed_and_listed(pki: Path, request_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    enrol_node(request_file)
    Inventory.objects.update(vcpus_total=4, memory_mib_total=8192, disk_gib_total=100)
    capsys.readouterr()

    call_command("set_inventory", "n1", "--vcpus-ratio", "8", "--memory-reserved-mib", "2048", "--disk-ratio", "0.5")
    call_command("list_nodes")

    printed = capsys.readouterr().out
    assert "n1 offers 32 vCPUs, 6144 MiB of memory and 47 GiB of disk." in printed
    assert [line.split()[:6] for line in printed.splitlines()[2:]] == [
        ["n1", "fr-idf-1", "enrolled", "192.0.2.1:7443", "0/32", "0/6144"]
    ]


def test_a_node_never_offers_less_than_is_allocated(pki: Path, request_file: Path) -> None:
    enrol_node(request_file)
    Inventory.objects.update(vcpus_total=4, vcpus_used=10)
    with pytest.raises(CommandError, match="less capacity than is allocated"):
        call_command("set_inventory", "n1", "--vcpus-ratio", "2")
    assert Inventory.objects.get().vcpus_capacity == 16


@pytest.mark.parametrize("value", ["0", "-1", "101", "NaN", "many"])
def test_ratio_out_of_range_is_refused(pki: Path, request_file: Path, value: str) -> None:
    enrol_node(request_file)
    with pytest.raises(CommandError, match="invalid ratio value"):
        call_command("set_inventory", "n1", f"--vcpus-ratio={value}")


@pytest.fixture
def elsewhere(tmp_path: Path, settings: Settings) -> Path:
    """An authority on a machine of its own; of it, the control plane has the certificate alone."""
    away, here = tmp_path / "away", tmp_path / "here"
    settings.PKI_DIR = away
    call_command("init_pki", "--authority-only")
    here.mkdir()
    (here / "ca.crt").write_bytes((away / "ca.crt").read_bytes())
    settings.PKI_DIR = here
    Zone.objects.create(pk="fr-idf-1", region=Region.objects.create(pk="fr-idf", name="Île-de-France"))
    return away / "ca.key"


def test_init_pki_can_create_the_authority_alone(elsewhere: Path) -> None:
    assert sorted(path.name for path in elsewhere.parent.iterdir()) == ["ca.crt", "ca.key"]


def test_authority_key_is_read_from_elsewhere_and_not_stored(
    elsewhere: Path, request_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("init_pki", "--ca-key", str(elsewhere), "--no-root-key")
    assert (tmp_path / "here" / "worker.crt").exists()
    assert not (tmp_path / "here" / "ca.key").exists()
    capsys.readouterr()

    enrol_node(request_file, "--ca-key", str(elsewhere))

    created = x509.load_pem_x509_certificate(capsys.readouterr().out.encode())
    created.verify_directly_issued_by(x509.load_pem_x509_certificate((tmp_path / "here" / "ca.crt").read_bytes()))


def test_authority_key_is_read_from_stdin(
    elsewhere: Path, request_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(elsewhere.read_bytes())))
    enrol_node(request_file, "--ca-key", "-")
    assert x509.load_pem_x509_certificate(capsys.readouterr().out.encode())


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(None, "cannot be read"), ("other", "does not match ca.crt"), ("none", "not an unencrypted private key")],
)
def test_missing_authority_key_refuses_signing(
    elsewhere: Path, request_file: Path, tmp_path: Path, content: str | None, sentence: str
) -> None:
    other = tmp_path / "other.key"
    if content == "other":
        key_files.write(other, ec.generate_private_key(ec.SECP256R1()))
    elif content == "none":
        other.write_text("no key")
    with pytest.raises(CommandError, match=sentence):
        enrol_node(request_file, *(("--ca-key", str(other)) if content else ()))
    assert not Node.objects.exists()


def test_role_keys_go_to_the_folder_of_the_role(tmp_path: Path, settings: Settings) -> None:
    settings.PKI_DIR = tmp_path
    (tmp_path / "signer").mkdir()
    call_command("init_pki")
    assert sorted(path.name for path in (tmp_path / "signer").iterdir()) == ["signer.key", "signer.pub"]
    assert len(signing_keys.public_keys(tmp_path, signing_keys.SIGNER)) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to others")
def test_systemd_credential_with_an_acl_is_a_private_key_file(tmp_path: Path) -> None:
    """The file is root's and has an ACL for the process; the ACL's mask is shown in place of the group's rights."""
    created = signing_keys.create(tmp_path, signing_keys.SIGNER, name="signer")
    path = tmp_path / "signer.key"
    path.chmod(0o440)
    assert signing_keys.load(path, signing_keys.SIGNER).id == created.id
    os.chown(path, 0, 1)
    with pytest.raises(KeyMissing):
        signing_keys.load(path, signing_keys.SIGNER)


def test_a_certificate_is_for_a_name_or_an_address(
    pki: Path, request_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def issued(*whose: str) -> x509.Certificate:
        call_command("issue_certificate", "--csr", str(request_file), *whose)
        return x509.load_pem_x509_certificate(capsys.readouterr().out.encode())

    kinds: dict[str, Any] = {"10.0.0.1": x509.IPAddress, "db.example.org": x509.DNSName}
    for host, kind in kinds.items():
        names = issued("--database", host).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert [str(name) for name in names.get_values_for_type(kind)] == [host]
    for wrong in ("db example", "/run/postgresql", "é.example.org", ""):
        with pytest.raises(CommandError, match="is not a name or address"):
            issued("--database", wrong)
    with pytest.raises(CommandError, match="one of the arguments --database --sentinel is required"):
        issued()
    usage = issued("--sentinel").extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert [each.dotted_string for each in usage] == [ExtendedKeyUsageOID.CLIENT_AUTH.dotted_string]
