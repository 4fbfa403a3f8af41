"""Orphans on nodes and in rows are found, quarantined, and destroyed only by an operator; and missing resources."""

import logging
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from pytest_django import Settings

from agents.node.adapters.interfaces import DomainFacts, Power, guest_name
from agents.node.errors import AdapterError
from andromede_core.documents import signed
from controlplane.audit.models import AuditEntry, EvidenceRecord
from controlplane.compute.errors import DataMissing, GuestMissing, PortMissing
from controlplane.compute.models import Attachment, Instance
from controlplane.compute.rebuild import NewDisk, instance_rebuild
from controlplane.compute.services import instance_delete
from controlplane.identity.actor import SYSTEM, Actor
from controlplane.identity.errors import RoleNeeded
from controlplane.kernel import clock
from controlplane.kernel.ids import new_id
from controlplane.network.models import Port
from controlplane.network.ports import instance_port_create as port_create
from controlplane.nodes import orphans as services
from controlplane.nodes.errors import OrphanNameDiffers, OrphanWrongState
from controlplane.nodes.models import Incident, Inventory, Node, NodeRemoval, Orphan, Receipt
from controlplane.operations import leases
from controlplane.operations.models import ResourceLock
from controlplane.placement.models import Allocation
from controlplane.reconcilers import node_removals, orphan_records, orphans
from controlplane.storage.models import Volume
from controlplane.workflows.registry import WORKFLOWS
from tests.workflows.helpers import (
    Killed,
    altered,
    ask_instance,
    die,
    done,
    make_instance,
    make_volume,
    then,
)
from tests.world import Cloud, make_tenant, run

UNMANAGED_FILE = "volumes/left-behind.raw"
OPERATOR = Actor(new_id(), new_id(), None, "", is_operator=True)


@pytest.fixture(autouse=True)
def at_once(settings: Settings) -> None:
    settings.QUARANTINE_AFTER_S = 0


def states() -> dict[str, str]:
    return dict(Orphan.objects.values_list("name", "state"))


def live() -> set[tuple[str, str]]:
    rows = Orphan.objects.filter(state__in=("found", "quarantined", "released"))
    return set(rows.values_list("kind", "name"))


def long_ago(*rows: Instance | Volume | Allocation | Port) -> None:
    for row in rows:
        type(row).objects.filter(pk=row.pk).update(updated_at=clock.now() - timedelta(hours=1))


def forget(*rows: Instance | Volume) -> None:
    """Delete the rows, as a restored older backup would."""
    ids = [row.pk for row in rows]
    Allocation.objects.filter(consumer_id__in=ids).delete()
    Attachment.objects.filter(instance_id__in=ids).delete()
    Port.objects.filter(instance_id__in=ids).delete()
    for row in rows:
        type(row).objects.filter(pk=row.pk).update(state="deleted", node=None)
    long_ago(*rows)


def discard(row: Orphan) -> Orphan:
    return services.orphan_discard(OPERATOR, row, name=row.name, reason="nobody needs it")


# ---- found


def test_expected_resources_are_no_orphans(cloud: Cloud) -> None:
    make_instance(cloud, volumes=(make_volume(cloud),))
    long_ago(*Instance.objects.all(), *Volume.objects.all())
    assert orphans.reconcile() == 0
    assert not Orphan.objects.exists()
    assert not Incident.objects.exists()


def test_unmanaged_resources_are_found_and_recorded_once(cloud: Cloud, caplog: pytest.LogCaptureFixture) -> None:
    cloud.fake.foreign_domains.append("by-hand")
    cloud.fake.foreign_files += [UNMANAGED_FILE, "images/" + "0" * 64]
    cloud.fake.foreign_taps.append("tap0123456789a")
    with caplog.at_level(logging.WARNING):
        orphans.reconcile()
        orphans.reconcile()
    assert live() == {
        ("domain", "by-hand"),
        ("file", UNMANAGED_FILE),
        ("image", "images/" + "0" * 64),
        ("port", "tap0123456789a"),
    }
    assert AuditEntry.objects.filter(verb="orphan.find").count() == 4
    assert Orphan.objects.get(kind="file").size_bytes == 4096


def test_resources_deleted_from_the_database_are_found(cloud: Cloud) -> None:
    instance, volume = make_instance(cloud, volumes=(make_volume(cloud),)), Volume.objects.get()
    attachment, port = Attachment.objects.get(), Port.objects.get()
    forget(instance, volume)
    orphans.reconcile()
    detected = {(row.kind, row.resource_id) for row in Orphan.objects.all()}
    assert detected == {
        ("domain", instance.pk),
        ("volume", volume.pk),
        ("volume", instance.root_volume_id),
        ("attachment", attachment.pk),
        ("port", port.pk),
    }
    assert Orphan.objects.get(kind="port").facts["ip"] == port.ip


def test_resource_placed_on_another_node_is_an_orphan(cloud: Cloud) -> None:
    volume, other = make_volume(cloud), cloud.world.add_machine("de-rhein-1")
    Volume.objects.update(node=other.row)
    Allocation.objects.all().delete()
    long_ago(volume)
    orphans.reconcile()
    assert live() == {("volume", f"volumes/{volume.pk}.qcow2")}


def delete_while_silent(cloud: Cloud, instance: Instance) -> None:
    cloud.machine.become_unreachable()
    done(instance_delete(cloud.tenant.actor, instance))
    cloud.machine.come_back()
    assert NodeRemoval.objects.exists()


def rebuild_half(cloud: Cloud, instance: Instance) -> None:
    operation = instance_rebuild(cloud.tenant.actor, instance, NewDisk(cloud.image))
    with pytest.raises(Killed):
        run(operation, altered(WORKFLOWS["instance.rebuild"], "start", then(die)))


def hold(cloud: Cloud, instance: Instance) -> None:
    operation = instance_delete(cloud.tenant.actor, instance)
    assert leases.lease_operation(operation.pk) is not None
    assert ResourceLock.objects.filter(operation=operation).exists()
    Instance.objects.filter(pk=instance.pk).update(node=None, state="error")


@pytest.mark.parametrize("on_its_way", [delete_while_silent, rebuild_half, hold])
def test_resource_in_transit_is_no_orphan(cloud: Cloud, on_its_way: Callable[[Cloud, Instance], None]) -> None:
    instance = make_instance(cloud)
    on_its_way(cloud, instance)
    long_ago(instance)
    orphans.reconcile()
    assert not Orphan.objects.exists()


def test_resource_under_creation_is_no_orphan(cloud: Cloud) -> None:
    _, operation = ask_instance(cloud)
    with pytest.raises(Killed):
        run(operation, altered(WORKFLOWS["instance.create"], "start", then(die)))
    long_ago(*Instance.objects.all(), *Port.objects.all())
    orphans.reconcile()
    assert not Orphan.objects.exists()


# ---- quarantined


def test_orphan_file_is_quarantined_after_a_delay(cloud: Cloud, settings: Settings) -> None:
    settings.QUARANTINE_AFTER_S = 300
    cloud.fake.foreign_files.append(UNMANAGED_FILE)
    orphans.reconcile()
    orphans.reconcile()
    assert states() == {UNMANAGED_FILE: "found"}
    Orphan.objects.update(created_at=clock.now() - timedelta(seconds=301))
    orphans.reconcile()
    assert states() == {UNMANAGED_FILE: "quarantined"}
    assert not cloud.fake.foreign_files
    row = Orphan.objects.get()
    assert cloud.fake.unmanaged.aside[row.pk].name == UNMANAGED_FILE
    assert orphans.reconcile() == 0, "it is where it should be"


def test_unmanaged_guest_in_a_tenant_network_is_paused(cloud: Cloud) -> None:
    cloud.fake.foreign_domains += ["by-hand", "in-a-tenants-network"]
    facts = DomainFacts(Power.RUNNING, 256, "<domain/>", bridges=("br0123456789a",))
    cloud.fake.unmanaged.facts["in-a-tenants-network"] = facts
    orphans.reconcile()
    assert cloud.fake.unmanaged.paused == {"in-a-tenants-network"}
    harmless = dict(Orphan.objects.values_list("name", "facts__is_harmless"))
    assert harmless == {"by-hand": True, "in-a-tenants-network": False}
    cloud.fake.unmanaged.resume("in-a-tenants-network")
    orphans.reconcile()
    assert cloud.fake.unmanaged.paused == {"in-a-tenants-network"}, "nobody sets it free behind our back"


def test_orphan_guest_is_paused_and_its_disk_is_kept(cloud: Cloud) -> None:
    instance = make_instance(cloud)
    forget(instance)
    orphans.reconcile()
    assert cloud.fake.guests[instance.pk].power is Power.PAUSED
    assert instance.root_volume_id in cloud.fake.volumes
    disk = Orphan.objects.get(resource_id=instance.root_volume_id)
    assert disk.state == "found"
    assert str(instance.pk) in disk.problem


def test_orphan_attachment_is_found_and_not_quarantined(cloud: Cloud) -> None:
    instance = make_instance(cloud, volumes=(make_volume(cloud),))
    Attachment.objects.all().delete()
    long_ago(instance, *Volume.objects.all())
    orphans.reconcile()
    row = Orphan.objects.get()
    assert (row.kind, row.state) == ("attachment", "found")
    running = cloud.fake.guests[instance.pk].running
    assert running is not None
    assert len(running.disks) == 2
    discard(row)
    orphans.reconcile()
    running = cloud.fake.guests[instance.pk].running
    assert running is not None
    assert len(running.disks) == 1


def test_many_orphans_at_once_stop_the_quarantine(cloud: Cloud, settings: Settings) -> None:
    settings.QUARANTINE_AT_MOST = 1
    volumes = [make_volume(cloud, name) for name in ("one", "two")]
    forget(*volumes)
    cloud.fake.foreign_files.append(UNMANAGED_FILE)
    orphans.reconcile()
    assert states() == {UNMANAGED_FILE: "quarantined"} | {f"volumes/{each.pk}.qcow2": "found" for each in volumes}
    assert Incident.objects.filter(kind="orphans-many", ended_at=None).exists()
    assert set(cloud.fake.volumes) == {each.pk for each in volumes}


def test_quarantined_resource_is_restored_when_expected(cloud: Cloud) -> None:
    volume = make_volume(cloud)
    forget(volume)
    orphans.reconcile()
    assert volume.pk not in cloud.fake.volumes
    Volume.objects.update(state="available", node=cloud.machine.row)
    long_ago(volume)
    orphans.reconcile()
    assert states() == {f"volumes/{volume.pk}.qcow2": "gone"}
    assert volume.pk in cloud.fake.volumes


def test_orphan_removed_outside_the_control_plane_is_gone(cloud: Cloud) -> None:
    cloud.fake.foreign_domains.append("by-hand")
    cloud.fake.foreign_files.append(UNMANAGED_FILE)
    orphans.reconcile()
    cloud.fake.foreign_domains.clear()
    cloud.fake.unmanaged.aside.clear()
    orphans.reconcile()
    assert set(states().values()) == {"gone"}
    cloud.fake.foreign_domains.append("by-hand")
    orphans.reconcile()
    assert Orphan.objects.filter(name="by-hand").count() == 2, "a new one has a row of its own"


def test_quarantine_error_is_recorded(cloud: Cloud) -> None:
    cloud.fake.foreign_files.append(UNMANAGED_FILE)
    cloud.fake.fail_next("set_aside", AdapterError("The disk is read-only.", retryable=True))
    orphans.reconcile()
    assert Orphan.objects.get().problem == "The disk is read-only."
    orphans.reconcile()
    row = Orphan.objects.get()
    assert (row.state, row.problem) == ("quarantined", "")


# ---- destroyed, or put back, by a person alone


def test_orphan_is_destroyed_only_on_an_operator_decision(cloud: Cloud) -> None:
    cloud.fake.foreign_files.append(UNMANAGED_FILE)
    for _ in range(3):
        orphans.reconcile()
    (row,) = Orphan.objects.all()
    assert cloud.fake.unmanaged.aside
    discard(row)
    assert cloud.fake.unmanaged.aside, "a request calls no node"
    orphans.reconcile()
    assert not cloud.fake.unmanaged.aside
    row.refresh_from_db()
    assert (row.state, row.requested_action) == ("discarded", "")
    assert row.evidence == {
        "was_present": True,
        "size_bytes": 4096,
        "by": str(OPERATOR.user_id),
        "reason": "nobody needs it",
    }


def test_discard_is_in_evidence_with_a_signed_receipt(cloud: Cloud) -> None:
    cloud.fake.foreign_files.append(UNMANAGED_FILE)
    orphans.reconcile()
    row = discard(Orphan.objects.get())
    orphans.reconcile()
    cloud.machine.account()
    documents = [signed.read(bytes(each.document)).payload for each in Receipt.objects.order_by("number")]
    ours = [each["event"] for each in documents if each["resource"] == str(row.pk)]
    assert ours == ["quarantined", "discarded"]
    assert EvidenceRecord.objects.filter(kind="receipt").count() == Receipt.objects.count()
    assert EvidenceRecord.objects.filter(kind="incident", document__contains="orphan-discarded").exists()
    request_entry, carried_out = AuditEntry.objects.filter(verb__startswith="orphan.discard").order_by("created_at")
    assert (request_entry.user_id, carried_out.user_id) == (OPERATOR.user_id, None)


def test_decision_waits_for_an_unreachable_node(cloud: Cloud) -> None:
    cloud.fake.foreign_files.append(UNMANAGED_FILE)
    orphans.reconcile()
    cloud.machine.become_unreachable()
    row = discard(Orphan.objects.get())
    orphans.reconcile()
    row.refresh_from_db()
    assert (row.state, row.requested_action) == ("quarantined", "discard")
    cloud.machine.come_back()
    orphans.reconcile()
    row.refresh_from_db()
    assert row.state == "discarded"


def test_discard_completes_after_a_worker_died(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    cloud.fake.foreign_files.append(UNMANAGED_FILE)
    orphans.reconcile()
    row = discard(Orphan.objects.get())
    with monkeypatch.context() as patch:
        patch.setattr(orphan_records.evidence_log, "append", lambda *_: die(None))
        with pytest.raises(Killed):
            orphans.reconcile()
    orphans.reconcile()
    row.refresh_from_db()
    assert row.state == "discarded"


def test_orphan_is_discarded_before_its_quarantine(cloud: Cloud, settings: Settings) -> None:
    settings.QUARANTINE_AFTER_S = 3600
    cloud.fake.foreign_domains.append("by-hand")
    orphans.reconcile()
    discard(Orphan.objects.get())
    orphans.reconcile()
    assert states() == {"by-hand": "discarded"}
    assert not cloud.fake.foreign_domains


def test_orphan_that_became_expected_is_not_destroyed(cloud: Cloud) -> None:
    volume = make_volume(cloud)
    forget(volume)
    orphans.reconcile()
    row = discard(Orphan.objects.get())
    Volume.objects.update(state="available", node=cloud.machine.row)
    orphans.reconcile()
    row.refresh_from_db()
    assert (row.requested_action, row.problem) == ("", orphan_records.NOW_EXPECTED)
    orphans.reconcile()
    assert volume.pk in cloud.fake.volumes


def test_discard_with_a_wrong_name_is_refused(cloud: Cloud) -> None:
    cloud.fake.foreign_files.append(UNMANAGED_FILE)
    orphans.reconcile()
    with pytest.raises(OrphanNameDiffers):
        services.orphan_discard(OPERATOR, Orphan.objects.get(), name="volumes/another.raw", reason="")


def test_orphan_decisions_need_a_human_operator(cloud: Cloud) -> None:
    cloud.fake.foreign_files.append(UNMANAGED_FILE)
    orphans.reconcile()
    row = Orphan.objects.get()
    for actor in (SYSTEM, make_tenant("other").actor, Actor(new_id(), new_id(), None, "", is_auditor=True)):
        with pytest.raises(RoleNeeded):
            services.orphan_discard(actor, row, name=row.name, reason="")
        with pytest.raises(RoleNeeded):
            services.orphan_release(actor, row, reason="")


def test_released_orphan_is_restored_and_raises_no_incident(cloud: Cloud) -> None:
    facts = DomainFacts(Power.RUNNING, 256, "<domain/>", bridges=("br0123456789a",))
    cloud.fake.unmanaged.facts["router"] = facts
    cloud.fake.foreign_domains.append("router")
    cloud.fake.foreign_files.append(UNMANAGED_FILE)
    cloud.machine.account()
    orphans.reconcile()
    for row in Orphan.objects.all():
        services.orphan_release(OPERATOR, row, reason="it is ours")
    orphans.reconcile()
    assert set(states().values()) == {"released"}
    assert not cloud.fake.unmanaged.paused
    assert cloud.fake.foreign_files == [UNMANAGED_FILE]
    cloud.machine.account()
    orphans.reconcile()
    assert set(states().values()) == {"released"}, "nobody takes it again"
    assert not Incident.objects.filter(ended_at=None).exists()
    row = discard(Orphan.objects.get(name=UNMANAGED_FILE))
    orphans.reconcile()
    row.refresh_from_db()
    assert row.state == "discarded"


def test_pending_discard_can_be_revoked(cloud: Cloud) -> None:
    cloud.fake.foreign_files.append(UNMANAGED_FILE)
    orphans.reconcile()
    row = discard(Orphan.objects.get())
    services.orphan_release(OPERATOR, row, reason="wait, that is the backup")
    orphans.reconcile()
    assert cloud.fake.foreign_files == [UNMANAGED_FILE]
    row.refresh_from_db()
    with pytest.raises(OrphanWrongState):
        services.orphan_release(OPERATOR, row, reason="again")


def test_orphans_of_a_retired_node_are_gone(cloud: Cloud) -> None:
    cloud.fake.foreign_files.append(UNMANAGED_FILE)
    orphans.reconcile()
    Node.objects.update(admin_state="retired")
    orphans.reconcile()
    assert states() == {UNMANAGED_FILE: "gone"}


# ---- rows


def test_allocation_without_a_consumer_is_found_and_released(cloud: Cloud) -> None:
    volume = make_volume(cloud)
    Volume.objects.update(state="deleted", node=None)
    allocation = Allocation.objects.get()
    long_ago(volume, allocation)
    orphans.reconcile()
    row = Orphan.objects.get(kind="allocation")
    assert (row.state, row.resource_id, row.facts["disk_gib"]) == ("found", volume.pk, volume.size_gib)
    used = Inventory.objects.get().disk_gib_used
    discard(row)
    orphans.reconcile()
    row.refresh_from_db()
    assert row.state == "discarded"
    assert Inventory.objects.get().disk_gib_used == used - volume.size_gib


def test_allocation_of_a_live_consumer_is_no_orphan(cloud: Cloud) -> None:
    make_instance(cloud, volumes=(make_volume(cloud),))
    long_ago(*Allocation.objects.all(), *Port.objects.all())
    orphans.reconcile()
    assert not Orphan.objects.exists()


def test_port_without_an_instance_is_found_and_removed_from_its_node(cloud: Cloud) -> None:
    instance = make_instance(cloud)
    Instance.objects.update(state="deleted", node=None)
    port = Port.objects.get()
    long_ago(instance, port)
    orphans.reconcile()
    row = Orphan.objects.get(kind="address")
    assert (row.node, row.facts["ip"]) == (None, port.ip)
    discard(row)
    orphans.reconcile()
    row.refresh_from_db()
    assert row.state == "discarded"
    assert not Port.objects.exists()
    assert NodeRemoval.objects.filter(kind="port", resource_id=port.pk).exists()


def test_recent_port_is_no_orphan(cloud: Cloud) -> None:
    port_create(cloud.network, port_id=new_id(), instance_id=new_id())
    orphans.reconcile()
    assert not Orphan.objects.exists()


# ---- what is missing


def open_incidents() -> set[tuple[str, str]]:
    return set(Incident.objects.filter(ended_at=None).values_list("kind", "name"))


def last_error(instance: Instance | Volume) -> object:
    instance.refresh_from_db()
    return instance.last_error["code"] if instance.last_error else None


def test_missing_guest_is_an_incident_and_an_instance_error(cloud: Cloud) -> None:
    instance = make_instance(cloud)
    lost = cloud.fake.guests.pop(instance.pk)
    orphans.reconcile()
    assert not open_incidents(), "it was changed just now"
    long_ago(instance)
    orphans.reconcile()
    assert open_incidents() == {("missing-guest", str(instance.pk))}
    assert last_error(instance) == GuestMissing.code
    cloud.fake.guests[instance.pk] = lost
    orphans.reconcile()
    assert not open_incidents()
    assert last_error(instance) is None


def test_missing_data_is_an_error_of_the_volume_and_the_instance(cloud: Cloud) -> None:
    instance, volume = make_instance(cloud), make_volume(cloud)
    cloud.fake.volumes.clear()
    long_ago(instance, volume)
    orphans.reconcile()
    assert open_incidents() == {
        ("missing-volume", str(volume.pk)),
        ("missing-volume", str(instance.root_volume_id)),
    }
    assert last_error(volume) == DataMissing.code
    assert last_error(instance) == DataMissing.code


def test_missing_port_is_an_error_of_the_instance(cloud: Cloud) -> None:
    instance = make_instance(cloud)
    ledger = cloud.machine.server.node.state_store
    ledger.execute("DELETE FROM resource WHERE kind = 'port'")
    cloud.fake.ports.clear()
    long_ago(instance)
    orphans.reconcile()
    assert open_incidents() == {("missing-port", str(Port.objects.get().pk))}
    assert last_error(instance) == PortMissing.code


def test_unrelated_last_error_is_kept(cloud: Cloud) -> None:
    instance = make_instance(cloud)
    Instance.objects.update(last_error={"code": "other"})
    del cloud.fake.guests[instance.pk]
    long_ago(instance)
    orphans.reconcile()
    assert last_error(instance) == "other"
    assert open_incidents() == {("missing-guest", str(instance.pk))}


def test_node_with_a_lost_state_store_has_no_orphan_guests(cloud: Cloud) -> None:
    instance = make_instance(cloud)
    cloud.machine.replace_disk()
    cloud.machine.heartbeat()
    long_ago(instance)
    orphans.reconcile()
    kinds = {row.kind for row in Orphan.objects.all()}
    assert kinds <= {"port"}
    assert cloud.fake.guests[instance.pk].power is Power.RUNNING
    assert UUID(str(instance.root_volume_id)) in cloud.fake.volumes


def test_unmanaged_guest_with_the_name_of_a_guest_is_found(cloud: Cloud) -> None:
    cloud.fake.foreign_domains.append(guest_name(new_id()))
    orphans.reconcile()
    row = Orphan.objects.get()
    assert (row.kind, row.state) == ("domain", "quarantined")
    assert row.resource_id is not None


def test_due_removals_precede_orphan_detection(cloud: Cloud) -> None:
    instance = make_instance(cloud)
    delete_while_silent(cloud, instance)
    long_ago(instance)
    orphans.reconcile()
    node_removals.reconcile()
    orphans.reconcile()
    assert not Orphan.objects.exists()
    assert cloud.fake.is_clean()
