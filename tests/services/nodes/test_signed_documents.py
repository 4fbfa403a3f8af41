"""Signed documents of nodes: receipts, which become evidence, and inventories, which show unmanaged resources."""

import dataclasses
import logging
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction
from pytest_django import Settings

from agents.node.adapters.interfaces import GuestDisk
from agents.node.hook.state import HookState
from agents.node.services import signed_inventory, stop_receipts
from agents.protocol import agent_pb2 as pb
from andromede_core.documents import signed
from andromede_core.documents.canonical import dumps, loads
from controlplane.audit.models import AuditEntry, EvidenceRecord
from controlplane.catalog.models import Image
from controlplane.compute.rebuild import NewDisk, instance_rebuild
from controlplane.compute.services import instance_delete
from controlplane.identity.actor import SYSTEM
from controlplane.kernel import clock
from controlplane.kernel.ids import new_id
from controlplane.nodes import agent_client
from controlplane.nodes.models import Incident, Node, Receipt
from controlplane.nodes.services import CONNECTIONS, HOOK, RULES, SELF_TEST, node_cordon
from controlplane.placement.models import Allocation, Permit
from controlplane.watcher import receipts, report_handlers, signed_inventories
from controlplane.workflows.registry import WORKFLOWS
from tests.workflows.helpers import Killed, altered, ask_instance, die, done, fresh, make_instance, make_volume, then
from tests.world import Cloud, make_tenant, run


def open_incidents() -> set[tuple[str, str]]:
    return set(Incident.objects.filter(ended_at=None).values_list("kind", "name"))


# ---- receipts


def test_receipts_are_stored_and_become_evidence(cloud: Cloud) -> None:
    instance = make_instance(cloud)
    cloud.machine.account()
    rows = Receipt.objects.order_by("number")
    assert [row.number for row in rows] == list(range(1, rows.count() + 1))
    permit = Permit.objects.get(resource_id=instance.pk)
    assert {row.jti for row in rows} == {permit.pk}
    assert all(row.is_genuine for row in rows)
    records = EvidenceRecord.objects.filter(kind="receipt")
    assert records.count() == rows.count()
    of_guest = records.get(resource_id=instance.pk)
    assert (of_guest.organization_id, of_guest.project_id) == (
        cloud.tenant.project.organization_id,
        cloud.tenant.project.pk,
    )
    assert of_guest.subject_id == permit.pk
    assert not open_incidents()


def test_repeated_receipt_changes_nothing(cloud: Cloud) -> None:
    make_volume(cloud)
    cloud.machine.account()
    before = EvidenceRecord.objects.count()
    number, document = cloud.machine.server.node.permits.receipts.after(0, limit=1)[0]
    report_handlers.write(cloud.machine.row.pk, pb.NodeEvent(receipt=pb.Receipt(number=number, document=document)))
    assert EvidenceRecord.objects.count() == before
    assert receipts.last_number(cloud.machine.row.pk) == Receipt.objects.count()


def send_receipt(cloud: Cloud, *, number: int, document: bytes) -> None:
    report_handlers.write(cloud.machine.row.pk, pb.NodeEvent(receipt=pb.Receipt(number=number, document=document)))


def test_receipt_not_signed_by_the_node_is_an_incident(cloud: Cloud) -> None:
    make_volume(cloud)
    number, document = cloud.machine.server.node.permits.receipts.after(0, limit=1)[0]
    envelope: Any = loads(document)
    envelope["p"]["zone"] = "us-va-1"
    send_receipt(cloud, number=number, document=dumps(envelope))
    assert open_incidents() == {(receipts.FORGED, "1")}
    assert not Receipt.objects.get().is_genuine
    assert not EvidenceRecord.objects.filter(kind="receipt").exists()


def test_receipt_of_another_node_is_an_incident(cloud: Cloud) -> None:
    other = cloud.world.add_machine("de-rhein-1")
    done(ask_instance(cloud, "there", zones=("de-rhein-1",))[1])
    number, document = other.server.node.permits.receipts.after(0, limit=1)[0]
    send_receipt(cloud, number=number, document=document)
    assert open_incidents() == {(receipts.FORGED, "1")}


def test_missing_receipt_is_an_incident(cloud: Cloud) -> None:
    make_instance(cloud)
    first, _, third, *_ = cloud.machine.server.node.permits.receipts.after(0, limit=10)
    for number, document in (first, third):
        send_receipt(cloud, number=number, document=document)
    assert open_incidents() == {(receipts.GAP, "3")}


def test_receipt_without_a_permit_is_an_incident(cloud: Cloud) -> None:
    """A thief has the signer's key."""
    make_volume(cloud)
    Permit.objects.all().delete()
    cloud.machine.account()
    assert {kind for kind, _ in open_incidents()} == {receipts.UNPERMITTED}
    assert EvidenceRecord.objects.filter(kind="receipt", organization_id=None).exists()


def test_receipts_prove_the_data_location(cloud: Cloud) -> None:
    instance = make_instance(cloud)
    done(instance_delete(cloud.tenant.actor, instance))
    cloud.machine.account()
    records = EvidenceRecord.objects.filter(kind="receipt", resource_id=instance.pk).order_by("pk")
    events = [loads((row.document or "").encode()) for row in records]
    assert [each["document"]["p"]["event"] for each in events] == ["opened", "closed"]  # type: ignore[index,call-overload]


def test_receipt_with_another_number_is_an_incident(cloud: Cloud) -> None:
    """An earlier receipt cannot fill the gap of a withheld one."""
    make_instance(cloud)
    (first, one), *_ = cloud.machine.server.node.permits.receipts.after(0, limit=1)
    send_receipt(cloud, number=first, document=one)
    send_receipt(cloud, number=first + 1, document=one)
    assert open_incidents() == {(receipts.FORGED, str(first + 1))}
    assert EvidenceRecord.objects.filter(kind="receipt").count() == 1


def test_second_receipt_of_one_number_is_an_incident(cloud: Cloud) -> None:
    make_volume(cloud)
    node = cloud.machine.server.node
    number, document = node.permits.receipts.after(0, limit=1)[0]
    send_receipt(cloud, number=number, document=document)
    other = dict(signed.read(document).payload) | {"event": "closed"}
    send_receipt(cloud, number=number, document=node.permits.key.document("receipt", other))
    assert open_incidents() == {(receipts.REPLACED, str(number))}


# ---- inventories


def test_expected_inventory_is_no_incident(cloud: Cloud) -> None:
    make_instance(cloud, volumes=(make_volume(cloud),))
    cloud.machine.account()
    assert not open_incidents()


def test_unmanaged_resources_are_incidents_and_stay(cloud: Cloud, caplog: pytest.LogCaptureFixture) -> None:
    cloud.fake.foreign_domains.append("a-vm-by-hand")
    cloud.fake.foreign_files.append("volumes/disk-by-hand.qcow2")
    with caplog.at_level(logging.CRITICAL):
        cloud.machine.account()
        cloud.machine.account()
    expected = {("unknown-domain", "a-vm-by-hand"), ("unknown-volume", "volumes/disk-by-hand.qcow2")}
    assert open_incidents() == expected
    assert EvidenceRecord.objects.filter(kind="incident").count() == 2, "told once"
    assert AuditEntry.objects.filter(verb__startswith="incident.").count() == 2
    assert [record.levelname for record in caplog.records if "by-hand" in record.getMessage()] == ["CRITICAL"] * 2
    assert cloud.fake.foreign_domains == ["a-vm-by-hand"]
    cloud.fake.foreign_domains.clear()
    cloud.fake.foreign_files.clear()
    cloud.machine.account()
    assert not open_incidents()
    assert Incident.objects.count() == 2


def test_guest_placed_elsewhere_or_unknown_is_unmanaged(cloud: Cloud) -> None:
    instance, volume = make_instance(cloud), make_volume(cloud)
    other = cloud.world.add_machine("de-rhein-1")
    long_ago = clock.now() - timedelta(hours=1)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")  # no trigger keeps an instance where it is
        for row in (instance, volume):
            type(row).objects.filter(pk=row.pk).update(node=other.row, updated_at=long_ago)
    Allocation.objects.all().delete()
    cloud.machine.account()
    assert open_incidents() == {
        ("unknown-domain", str(instance.pk)),
        ("unknown-volume", str(volume.pk)),
        ("unknown-volume", str(instance.root_volume_id)),
    }
    assert instance.pk in cloud.fake.guests, "nothing is destroyed"


def test_unplaced_images_and_disguised_files_are_unmanaged(cloud: Cloud) -> None:
    instance = make_instance(cloud)
    files = [f"volumes/{instance.root_volume_id}", f"images/{instance.image.sha256}.qcow2", "images/" + "0" * 64]
    cloud.fake.foreign_files += files
    cloud.machine.account()
    assert open_incidents() == {
        ("unknown-volume", files[0]),
        ("unknown-image", files[1]),
        ("unknown-image", "0" * 64),
    }


def test_image_placed_earlier_is_managed(cloud: Cloud) -> None:
    done(instance_delete(cloud.tenant.actor, make_instance(cloud)))
    cloud.machine.account()
    assert cloud.fake.images
    assert not open_incidents()


def test_disk_attached_outside_the_agent_is_unmanaged(cloud: Cloud) -> None:
    instance, volume = make_instance(cloud), make_volume(cloud)
    type(volume).objects.update(updated_at=clock.now() - timedelta(hours=1))
    hypervisor, engine = cloud.fake.adapters().hypervisor, cloud.fake.adapters().disks.engine()
    hypervisor.plug_disk(instance.pk, engine.disk(volume.pk))
    hypervisor.plug_disk(instance.pk, GuestDisk(new_id(), Path("/dev/sdb")))
    cloud.machine.account()
    assert open_incidents() == {
        ("unknown-attachment", f"{instance.pk} {volume.pk}"),
        ("unknown-attachment", f"{instance.pk} /dev/sdb"),
    }


def test_root_disk_of_a_rebuild_in_progress_is_managed(cloud: Cloud) -> None:
    """Once it runs from the new one, and its row still names the old one."""
    instance = make_instance(cloud)
    operation = instance_rebuild(cloud.tenant.actor, instance, NewDisk(cloud.image))
    with pytest.raises(Killed):
        run(operation, altered(WORKFLOWS["instance.rebuild"], "start", then(die)))
    cloud.machine.account()
    assert not Incident.objects.exists()


def test_image_of_a_rebuilt_guest_is_managed(cloud: Cloud, settings: Settings) -> None:
    instance, before, content = make_instance(cloud), cloud.image, b"another image"
    after = Image.objects.create(
        name="other",
        state="available",
        format="qcow2",
        sha256=sha256(content).hexdigest(),
        size_bytes=len(content),
        virtual_size_bytes=2**20,
    )
    (Path(settings.IMAGES_DIR) / after.sha256).write_bytes(content)
    done(instance_rebuild(cloud.tenant.actor, fresh(instance), NewDisk(after)))
    assert fresh(instance).image == after
    assert before.sha256 in cloud.fake.images, "its cache has it still"
    cloud.machine.account()
    assert not open_incidents()


def test_private_image_of_a_project_without_guests_is_unmanaged(cloud: Cloud) -> None:
    make_instance(cloud)
    owner = make_tenant("beta").project
    private = Image.objects.create(name="own", project=owner, format="qcow2", sha256="1" * 64)
    cloud.fake.foreign_files.append(f"images/{private.sha256}")
    cloud.machine.account()
    assert open_incidents() == {("unknown-image", private.sha256)}


def test_a_guest_that_runs_without_a_permit_is_an_incident(cloud: Cloud) -> None:
    instance = make_instance(cloud)
    cloud.fake.guest_powers_off(instance.pk)
    stop_receipts.close_if_stopped(cloud.machine.server.node, instance.pk)
    cloud.fake.adapters().hypervisor.start(instance.pk)
    cloud.machine.account()
    assert open_incidents() == {("guest-unpermitted", str(instance.pk))}


def test_resource_awaiting_removal_is_managed(cloud: Cloud) -> None:
    instance = make_instance(cloud)
    cloud.machine.become_unreachable()
    done(instance_delete(cloud.tenant.actor, instance))
    type(instance).objects.update(updated_at=clock.now() - timedelta(hours=1))
    cloud.machine.come_back()
    cloud.machine.account()
    assert not open_incidents()


def test_inventory_not_signed_by_the_node_is_ignored(cloud: Cloud) -> None:
    cloud.fake.foreign_domains.append("a-vm-by-hand")
    envelope: Any = loads(signed_inventory.document(cloud.machine.server.node))
    envelope["p"]["unknown_domains"] = []
    report_handlers.write(cloud.machine.row.pk, pb.NodeEvent(signed_inventory=dumps(envelope)))
    assert open_incidents() == {("inventory-forged", "inventory")}
    cloud.machine.account()
    assert open_incidents() == {("unknown-domain", "a-vm-by-hand")}


def test_old_inventory_is_ignored(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    def send_receipt(document: bytes) -> None:
        report_handlers.write(cloud.machine.row.pk, pb.NodeEvent(signed_inventory=document))

    old = signed_inventory.document(cloud.machine.server.node)
    cloud.fake.foreign_domains.append("a-vm-by-hand")
    cloud.machine.account()
    send_receipt(old)
    assert open_incidents() == {("unknown-domain", "a-vm-by-hand"), ("inventory-stale", "inventory")}
    cloud.machine.account()
    assert open_incidents() == {("unknown-domain", "a-vm-by-hand")}

    late = signed_inventory.document(cloud.machine.server.node)
    attested_at = Node.objects.get().attested_at
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(minutes=6))
    send_receipt(late)
    assert ("inventory-stale", "inventory") in open_incidents()
    assert Node.objects.get().attested_at == attested_at


def test_inventory_of_another_boot_is_ignored(cloud: Cloud) -> None:
    Node.objects.update(boot_id="a later one")
    cloud.machine.account()
    assert open_incidents() == {("inventory-stale", "inventory")}


# ---- attestation


class Hook:
    def __init__(self, state: HookState) -> None:
        self._state = state

    def state(self) -> HookState:
        return self._state


WELL = HookState("0" * 64, is_active=True, problem="")
GONE = HookState("", is_active=False, problem="/etc/libvirt/hooks/qemu cannot be read: No such file.")


def with_hook(cloud: Cloud, state: HookState, monkeypatch: pytest.MonkeyPatch) -> None:
    server = cloud.machine.server
    monkeypatch.setattr(server, "node", dataclasses.replace(server.node, hook=Hook(state)))


def test_a_genuine_inventory_with_an_active_hook_attests_the_node(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    old = clock.now() - timedelta(hours=settings.NODE_ATTESTATION_HOURS + 1)
    Node.objects.update(attested_at=old)
    cloud.machine.row.refresh_from_db()
    assert not cloud.machine.row.attests
    cloud.machine.heartbeat()
    assert not cloud.machine.row.is_attested
    with_hook(cloud, GONE, monkeypatch)
    cloud.machine.account()
    cloud.machine.heartbeat()
    assert not cloud.machine.row.is_attested
    with_hook(cloud, WELL, monkeypatch)
    cloud.machine.account()
    cloud.machine.heartbeat()
    assert cloud.machine.row.is_attested


def test_charter_sets_the_clearance_until_it_expires(cloud: Cloud) -> None:
    assert cloud.machine.row.cleared_for == ["*"]
    Node.objects.update(chartered_until=clock.now())
    cloud.machine.heartbeat()
    assert cloud.machine.row.cleared_for == []
    cloud.world.charter(cloud.machine.row)
    cloud.machine.heartbeat()
    assert cloud.machine.row.cleared_for == ["*"]


WORKING = pb.HookState(sha256="ab" * 32, is_active=True)
PASSED = pb.SelfTest(has_passed=True)


def heartbeat(
    cloud: Cloud,
    hook: pb.HookState | None,
    self_test: pb.SelfTest = PASSED,
    networks: pb.NetworksState | None = None,
) -> None:
    inventory = agent_client.describe(cloud.machine.row).inventory
    beat = pb.Heartbeat(inventory=inventory, hook=hook, self_test=self_test, networks=networks)
    report_handlers.write(cloud.machine.row.pk, pb.NodeEvent(heartbeat=beat))
    cloud.machine.row.refresh_from_db()


@pytest.mark.parametrize(
    "hook", [None, pb.HookState(is_active=False, problem="It is gone."), pb.HookState(sha256="ab" * 32)]
)
def test_node_without_its_hook_loses_attestation_at_the_next_heartbeat(cloud: Cloud, hook: pb.HookState | None) -> None:
    assert cloud.machine.row.is_attested
    heartbeat(cloud, hook)
    assert not cloud.machine.row.is_attested
    assert cloud.machine.row.is_cordoned
    assert {kind for kind, _ in open_incidents()} == {HOOK}
    heartbeat(cloud, WORKING)
    assert cloud.machine.row.is_attested
    assert not cloud.machine.row.is_cordoned
    assert not open_incidents()


def test_failed_self_test_is_an_incident_and_cordons_the_node(cloud: Cloud) -> None:
    problem = "A disk: No space left on device."
    heartbeat(cloud, WORKING, pb.SelfTest(problem=problem))
    assert cloud.machine.row.is_cordoned
    assert open_incidents() == {(SELF_TEST, problem)}
    heartbeat(cloud, WORKING)
    assert not cloud.machine.row.is_cordoned
    assert not open_incidents()


def test_network_problem_is_an_incident_without_a_cordon(cloud: Cloud) -> None:
    full, lost = "At least 80 % of it are in use.", "They were gone."
    heartbeat(cloud, WORKING, networks=pb.NetworksState(connections_problem=full, rules_problem=lost))
    assert open_incidents() == {(CONNECTIONS, full), (RULES, lost)}
    assert not cloud.machine.row.is_cordoned
    heartbeat(cloud, WORKING)
    assert not open_incidents()


def test_new_node_is_ready_after_its_self_test(cloud: Cloud) -> None:
    Node.objects.update(state="enrolled")
    heartbeat(cloud, WORKING, pb.SelfTest())
    assert (cloud.machine.row.state, cloud.machine.row.is_cordoned) == ("enrolled", False)
    assert not open_incidents(), "it has not ended"
    heartbeat(cloud, WORKING)
    assert cloud.machine.row.state == "ready"


def test_restored_hook_keeps_the_cordon_of_an_operator(cloud: Cloud) -> None:
    node_cordon(SYSTEM, cloud.machine.row, reason="its fan is to be replaced")
    heartbeat(cloud, None)
    heartbeat(cloud, WORKING)
    assert cloud.machine.row.is_cordoned


def test_unmanaged_resource_wakes_the_reconciler_once(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    hints: list[None] = []
    monkeypatch.setattr(signed_inventories, "wake_reconciler", lambda: hints.append(None))
    cloud.machine.account()
    assert not hints
    cloud.fake.foreign_domains.append("a-vm-by-hand")
    cloud.machine.account()
    cloud.machine.account()
    assert len(hints) == 1
