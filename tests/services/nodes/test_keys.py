"""Keysets, charters, rotation and revocation, by their commands."""

import io
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from agents.protocol import agent_pb2 as pb
from andromede_core.documents import signed
from andromede_core.permits.trust_documents import MAX_VERSION, Approver, DenyList, Key
from controlplane.audit.models import EvidenceRecord
from controlplane.catalog import epochs, officer_keys
from controlplane.identity.actor import SYSTEM
from controlplane.kernel import clock
from controlplane.nodes import agent_client, keysets, signing_keys, trust_documents
from controlplane.nodes.models import TrustDocument
from controlplane.placement.models import Permit
from controlplane.signer import floors
from tests.approvers import person
from tests.facts import officer, state, statement
from tests.workflows.helpers import ask_instance, done, make_instance, make_volume
from tests.world import Cloud, run, run_next_attempt

Run = Callable[..., str]


@pytest.fixture
def pki(cloud: Cloud) -> Path:
    return cloud.world.folder / "pki"


@pytest.fixture
def command(pki: Path) -> Run:
    def run_it(name: str, *arguments: str) -> str:
        root = [] if name == "permit_deny" else ["--root-key", str(pki / "root.key")]
        out = io.StringIO()
        call_command(name, *arguments, *root, stdout=out, stderr=io.StringIO())
        return out.getvalue().strip()

    return run_it


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[timedelta], None]]:
    """Moves the control plane's clock."""
    now = clock.now

    def move(step: timedelta) -> None:
        monkeypatch.setattr(clock, "now", lambda: now() + step)

    yield move


def signers() -> dict[str, Key]:
    return {key.id: key for key in trust_documents.keyset().keys.values() if key.use == "permit"}


def signer_of(operation: Any) -> str:
    """Return the id of the key that signed the operation's permit."""
    permit = Permit.objects.filter(operation_id=operation.pk, state="signed").latest("created_at")
    return signed.read(bytes(permit.document or b"")).key_id


# ---- keysets


def test_unchanged_keys_publish_no_new_keyset(cloud: Cloud, command: Run) -> None:
    before, epoch = trust_documents.keyset(), epochs.current()
    command("keyset_publish")
    assert (trust_documents.keyset(), epochs.current()) == (before, epoch)


def test_officers_sign_facts_unless_they_are_named_as_approvers(cloud: Cloud, command: Run) -> None:
    ada, bea, dan = officer("ada").key_id, person("bea"), person("dan")
    owner = cloud.tenant.project.organization
    for each, duty in ((bea, f"sovereignty_officer@{owner.name}"), (dan, "duty_operator")):
        command("keyset_publish", "--approver", f"{each.key_id}={duty}")
    known = trust_documents.keyset().keys
    assert (known[ada].use, known[ada].approver) == ("facts", None)
    bea_is = Approver(str(bea.actor.user_id), "sovereignty_officer", str(owner.pk))
    assert (known[bea.key_id].use, known[bea.key_id].approver) == ("approval", bea_is)
    assert known[dan.key_id].approver == Approver(str(dan.actor.user_id), "duty_operator")
    officer("cleo")
    command("keyset_publish")
    assert trust_documents.keyset().keys[bea.key_id].approver == bea_is, "it keeps its use"


@pytest.mark.parametrize(
    "approver", ["{key}", "{key}=boss", "{key}=sovereignty_officer", "{key}=duty_operator@acme", "nobody=duty_operator"]
)
def test_an_approver_has_a_key_a_duty_and_as_an_officer_an_organization(
    cloud: Cloud, command: Run, approver: str
) -> None:
    before = trust_documents.keyset()
    with pytest.raises(CommandError):
        command("keyset_publish", "--approver", approver.format(key=person("bea").key_id))
    assert trust_documents.keyset() == before


def test_revoked_officer_key_stays_for_its_facts(cloud: Cloud, command: Run) -> None:
    ada, bea = officer("ada"), officer("bea")
    state([statement("zone", "fr-idf-1", "location.territory", "FR", author="ada")], by=ada)
    for each in (ada, bea):
        officer_keys.officer_key_revoke(SYSTEM, each.key_id)
    command("keyset_publish")
    known = trust_documents.keyset().keys
    assert known[ada.key_id].not_after <= clock.now()
    assert bea.key_id not in known
    assert floors.sign_missing_floors() == 1
    assert not EvidenceRecord.objects.filter(kind="incident").exists()


def test_keyset_publish_needs_the_root_key(cloud: Cloud, pki: Path) -> None:
    (pki / "root.key").unlink()
    with pytest.raises(CommandError, match=r"trust\.key_missing"):
        call_command("keyset_publish", "--root-key", str(pki / "root.key"))
    assert trust_documents.keyset().version == 1


def test_keyset_of_another_root_is_refused_by_nodes(cloud: Cloud, pki: Path) -> None:
    other = signing_keys.create(pki / "other", signing_keys.ROOT, name="root")
    officer()
    call_command("keyset_publish", "--root-key", str(pki / "other" / "root.key"), stderr=io.StringIO())
    assert other.id != cloud.world.root.id
    floors.sign_missing_floors()
    request = trust_documents.pending_update(cloud.machine.row)
    assert request is not None
    with pytest.raises(Exception, match="not genuine"):
        cloud.machine.heartbeat()


# ---- rotation


def test_rotated_key_is_delayed_and_the_old_one_ends_after_an_overlap(
    cloud: Cloud, command: Run, later: Callable[[timedelta], None]
) -> None:
    (old,) = signers()
    new = command("key_rotate", "--delay-minutes", "30")
    known = signers()
    assert set(known) == {old, new}
    assert known[old].not_after - known[new].not_before == keysets.OVERLAP >= timedelta(days=7)
    floors.sign_missing_floors()
    cloud.machine.heartbeat()
    assert signer_of(done(ask_instance(cloud, "one")[1])) == old
    later(timedelta(minutes=31))
    _, operation = ask_instance(cloud, "two")
    run(operation)
    assert signer_of(operation) == new
    later(keysets.OVERLAP + timedelta(hours=1))
    command("keyset_publish")
    assert set(signers()) == {new}


def test_nodes_accept_permits_of_both_keys_during_the_overlap(cloud: Cloud, command: Run) -> None:
    (old,) = signers()
    first, operation = ask_instance(cloud, "one")
    new = command("key_rotate", "--delay-minutes", "0")
    assert signer_of(done(operation)) == new
    known = signers()
    assert cloud.machine.held.keyset.keys[old] == known[old]
    assert old != new
    assert first.pk


def test_emergency_rotation_voids_the_old_key_at_once(cloud: Cloud, command: Run) -> None:
    (old,) = signers()
    make_volume(cloud)
    stolen = signing_keys.load(cloud.world.folder / "pki" / "signer.key", signing_keys.SIGNER)
    new = command("key_rotate", "--emergency")
    assert set(signers()) == {new}
    assert trust_documents.deny_list().kids == {old}
    assert signer_of(done(ask_instance(cloud)[1])) == new
    trust = cloud.machine.held
    assert {key.id for key in trust.keyset.keys.values() if key.use == "permit"} == {new}
    assert trust.deny.kids == {old}
    assert stolen.id == old
    command("keyset_publish")
    assert set(signers()) == {new}, "its file is still there and counts for nothing"


def test_emergency_rotation_overrides_documents_of_the_stolen_key(cloud: Cloud, command: Run) -> None:
    stolen = signing_keys.load(cloud.world.folder / "pki" / "signer.key", signing_keys.SIGNER)
    last = stolen.sign(
        trust_documents.DENY, DenyList(MAX_VERSION, nodes=frozenset({str(cloud.machine.row.pk)})).payload()
    )
    agent_client.ensure_trust(cloud.machine.row, pb.EnsureTrustRequest(deny=last.document()))
    cloud.machine.heartbeat()
    command("key_rotate", "--emergency")
    done(ask_instance(cloud)[1])
    assert cloud.machine.held.deny.kids == {stolen.id}


def test_rotation_in_another_scope_ends_no_key(cloud: Cloud, command: Run) -> None:
    (old,) = signers()
    before = signers()[old]
    new = command("key_rotate", "--zones", "de-rhein-1", "--classifications", "public,eu-resident")
    known = signers()
    assert known[old] == before
    assert (known[new].zones, known[new].classifications) == ({"de-rhein-1"}, {"public", "eu-resident"})


def test_emergency_rotation_affects_its_zones_only(cloud: Cloud, command: Run) -> None:
    cloud.world.add_machine("de-rhein-1")
    (for_all,) = signers()
    german = command("key_rotate", "--zones", "de-rhein-1", "--delay-minutes", "0")
    french = command("key_rotate", "--zones", "fr-idf-1", "--emergency")
    assert set(signers()) == {german, french}
    assert trust_documents.deny_list().kids == {for_all}
    second = command("key_rotate", "--zones", "fr-idf-1", "--emergency")
    assert set(signers()) == {german, second}


def test_emergency_rotation_refuses_to_leave_a_zone_without_a_key(cloud: Cloud, command: Run, pki: Path) -> None:
    cloud.world.add_machine("de-rhein-1")
    before = signers(), sorted(path.name for path in pki.iterdir())
    with pytest.raises(CommandError, match=r"nodes in de-rhein-1.*trust\.zone_without_key"):
        command("key_rotate", "--zones", "fr-idf-1", "--emergency")
    assert (signers(), sorted(path.name for path in pki.iterdir())) == before
    assert trust_documents.deny_list().version == 0


def test_two_rotations_at_once_never_share_a_key(
    cloud: Cloud, command: Run, monkeypatch: pytest.MonkeyPatch, pki: Path
) -> None:
    moment = clock.now()
    monkeypatch.setattr(clock, "now", lambda: moment)
    command("key_rotate")
    before = {path: path.read_bytes() for path in pki.glob("signer*")}
    with pytest.raises(CommandError, match=r"trust\.key_missing"):
        command("key_rotate", "--zones", "fr-idf-1")
    assert {path: path.read_bytes() for path in pki.glob("signer*")} == before


# ---- charters


def charter(command: Run, *more: str, witnesses: tuple[str, ...] = ("alice", "bruno")) -> str:
    named = [word for witness in witnesses for word in ("--witness", witness)]
    return command("charter_sign", "--node", "node-1", "--serial", "SN-7", *named, *more)


def test_a_charter_reaches_its_node(cloud: Cloud, command: Run) -> None:
    charter(command, "--classifications", "public,eu-resident", "--valid-days", "10")
    stored = trust_documents.charter_of(cloud.machine.row)
    assert stored is not None
    assert (stored.version, stored.zone, stored.serial) == (2, "fr-idf-1", "SN-7")
    assert stored.classifications == {"public", "eu-resident"}
    assert stored.valid_to - stored.valid_from == timedelta(days=10)
    assert stored.witnesses == ("alice", "bruno")
    cloud.machine.heartbeat()
    assert cloud.machine.held.charter == stored
    record = EvidenceRecord.objects.filter(kind="node").latest("created_at")
    assert "alice" in (record.document or "")


@pytest.mark.parametrize("witnesses", [("alice",), ("alice", "alice"), ("alice", "bruno", "chloe")])
def test_charter_needs_two_approvers(cloud: Cloud, command: Run, witnesses: tuple[str, ...]) -> None:
    with pytest.raises(CommandError, match=r"trust\.witnesses_needed"):
        charter(command, "--classifications", "*", witnesses=witnesses)
    assert TrustDocument.objects.filter(kind="charter").count() == 1


# ---- revocation


def test_denied_resource_is_refused_by_the_node_and_stays_denied(cloud: Cloud, command: Run) -> None:
    instance = make_instance(cloud)
    command("permit_deny", "--resource", str(instance.pk))
    command("permit_deny", "--node", "node-1")
    assert trust_documents.deny_list().resources == {str(instance.pk)}
    assert trust_documents.deny_list().nodes == {str(cloud.machine.row.pk)}
    cloud.machine.heartbeat()
    assert cloud.machine.held.deny == trust_documents.deny_list()
    _, operation = ask_instance(cloud, "other")
    assert run_next_attempt(run(operation)).state == "failed"
    assert operation.error is not None
    assert operation.error["facts"]["agent_code"] == "agent.permit.revoked"


def test_zone_key_denies_for_all_nodes(cloud: Cloud, command: Run) -> None:
    (for_all,) = signers()
    french = command("key_rotate", "--zones", "fr-idf-1", "--delay-minutes", "0")
    command("permit_deny", "--kid", for_all)
    document = TrustDocument.objects.filter(kind="deny").latest("version").document
    assert signed.read(bytes(document)).key_id == french
    cloud.machine.heartbeat()
    assert cloud.machine.held.deny.kids == {for_all}


def test_the_root_denies_without_any_other_key(cloud: Cloud, command: Run, pki: Path) -> None:
    (only,) = signers()
    command("permit_deny", "--kid", only, "--root-key", str(pki / "root.key"))
    cloud.machine.heartbeat()
    assert cloud.machine.held.deny.kids == {only}


def test_deny_command_needs_a_target(cloud: Cloud, command: Run) -> None:
    with pytest.raises(CommandError, match="Nothing to deny"):
        command("permit_deny")


def test_a_key_cannot_deny_itself(cloud: Cloud, command: Run) -> None:
    (only,) = signers()
    with pytest.raises(CommandError, match=r"trust\.no_usable_key"):
        command("permit_deny", "--kid", only)
    assert trust_documents.deny_list().version == 0
