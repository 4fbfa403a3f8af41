"""Orphans on nodes and in rows: found, quarantined, destroyed only by a person; and missing resources."""

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
from controlplane.network.services import port_create
from controlplane.nodes import orphans as services
from controlplane.nodes.errors import OrphanNameDiffers, OrphanWrongState
from controlplane.nodes.models import Incident, Inventory, Node, NodeRemoval, Orphan, Receipt
from controlplane.operations import leases
from controlplane.operations.models import ResourceLock
from controlplane.placement.models import Allocation
from controlplane.reconcilers import node_removals, orphans
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

STRAY = "volumes/left-behind.raw"
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
    """As when the database was restored to a moment before they were made."""
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


def test_what_is_meant_is_no_orphan(cloud: Cloud) -> None:
    make_instance(cloud, volumes=(make_volume(cloud),))
    long_ago(*Instance.objects.all(), *Volume.objects.all())
    assert orphans.reconcile() == 0
    assert not Orphan.objects.exists()
    assert not Incident.objects.exists()


def test_strangers_are_found_once_and_told(cloud: Cloud, caplog: pytest.LogCaptureFixture) -> None:
    cloud.fake.foreign_domains.append("by-hand")
    cloud.fake.foreign_files += [STRAY, "images/" + "0" * 64]
    cloud.fake.foreign_taps.append("tap0123456789a")
    with caplog.at_level(logging.WARNING):
        orphans.reconcile()
        orphans.reconcile()
    assert live() == {
        ("domain", "by-hand"),
        ("file", STRAY),
        ("image", "images/" + "0" * 64),
        ("port", "tap0123456789a"),
    }
    assert AuditEntry.objects.filter(verb="orphan.find").count() == 4
    assert Orphan.objects.get(kind="file").size_bytes == 4096


def test_what_the_agent_was_told_of_and_the_database_forgot_is_found(cloud: Cloud) -> None:
    instance, volume = make_instance(cloud, volumes=(make_volume(cloud),)), Volume.objects.get()
    attachment, port = Attachment.objects.get(), Port.objects.get()
    forget(instance, volume)
    orphans.reconcile()
    found = {(row.kind, row.resource_id) for row in Orphan.objects.all()}
    assert found == {
        ("domain", instance.pk),
        ("volume", volume.pk),
        ("volume", instance.root_volume_id),
        ("attachment", attachment.pk),
        ("port", port.pk),
    }
    assert Orphan.objects.get(kind="port").facts["ip"] == port.ip


def test_what_is_elsewhere_is_an_orphan_here(cloud: Cloud) -> None:
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
def test_what_is_in_transit_is_no_orphan(cloud: Cloud, on_its_way: Callable[[Cloud, Instance], None]) -> None:
    instance = make_instance(cloud)
    on_its_way(cloud, instance)
    long_ago(instance)
    orphans.reconcile()
    assert not Orphan.objects.exists()


def test_what_is_being_made_is_no_orphan(cloud: Cloud) -> None:
    _, operation = ask_instance(cloud)
    with pytest.raises(Killed):
        run(operation, altered(WORKFLOWS["instance.create"], "start", then(die)))
    long_ago(*Instance.objects.all(), *Port.objects.all())
    orphans.reconcile()
    assert not Orphan.objects.exists()


# ---- quarantined


def test_a_file_is_set_aside_after_a_while(cloud: Cloud, settings: Settings) -> None:
    settings.QUARANTINE_AFTER_S = 300
    cloud.fake.foreign_files.append(STRAY)
    orphans.reconcile()
    orphans.reconcile()
    assert states() == {STRAY: "found"}
    Orphan.objects.update(created_at=clock.now() - timedelta(seconds=301))
    orphans.reconcile()
    assert states() == {STRAY: "quarantined"}
    assert not cloud.fake.foreign_files
    row = Orphan.objects.get()
    assert cloud.fake.unmanaged.aside[row.pk].name == STRAY
    assert orphans.reconcile() == 0, "it is where it should be"


def test_a_stranger_in_a_tenants_network_stands_still_and_another_runs_on(cloud: Cloud) -> None:
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


def test_a_guest_that_nobody_means_stands_still_and_its_disk_waits_for_it(cloud: Cloud) -> None:
    instance = make_instance(cloud)
    forget(instance)
    orphans.reconcile()
    assert cloud.fake.guests[instance.pk].power is Power.PAUSED
    assert instance.root_volume_id in cloud.fake.volumes
    disk = Orphan.objects.get(resource_id=instance.root_volume_id)
    assert disk.state == "found"
    assert str(instance.pk) in disk.problem


def test_an_attachment_is_not_touched(cloud: Cloud) -> None:
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


def test_many_of_ours_at_once_are_the_databases_fault_and_are_left_alone(cloud: Cloud, settings: Settings) -> None:
    settings.QUARANTINE_AT_MOST = 1
    volumes = [make_volume(cloud, name) for name in ("one", "two")]
    forget(*volumes)
    cloud.fake.foreign_files.append(STRAY)
    orphans.reconcile()
    assert states() == {STRAY: "quarantined"} | {f"volumes/{each.pk}.qcow2": "found" for each in volumes}
    assert Incident.objects.filter(kind="orphans-many", ended_at=None).exists()
    assert set(cloud.fake.volumes) == {each.pk for each in volumes}


def test_what_is_meant_again_is_put_back(cloud: Cloud) -> None:
    volume = make_volume(cloud)
    forget(volume)
    orphans.reconcile()
    assert volume.pk not in cloud.fake.volumes
    Volume.objects.update(state="available", node=cloud.machine.row)
    long_ago(volume)
    orphans.reconcile()
    assert states() == {f"volumes/{volume.pk}.qcow2": "gone"}
    assert volume.pk in cloud.fake.volumes


def test_what_goes_by_other_hands_is_gone(cloud: Cloud) -> None:
    cloud.fake.foreign_domains.append("by-hand")
    cloud.fake.foreign_files.append(STRAY)
    orphans.reconcile()
    cloud.fake.foreign_domains.clear()
    cloud.fake.unmanaged.aside.clear()
    orphans.reconcile()
    assert set(states().values()) == {"gone"}
    cloud.fake.foreign_domains.append("by-hand")
    orphans.reconcile()
    assert Orphan.objects.filter(name="by-hand").count() == 2, "a new one has a row of its own"


def test_what_stands_in_the_way_is_said(cloud: Cloud) -> None:
    cloud.fake.foreign_files.append(STRAY)
    cloud.fake.fail_next("set_aside", AdapterError("The disk is read-only.", retryable=True))
    orphans.reconcile()
    assert Orphan.objects.get().problem == "The disk is read-only."
    orphans.reconcile()
    row = Orphan.objects.get()
    assert (row.state, row.problem) == ("quarantined", "")


# ---- destroyed, or put back, by a person alone


def test_nothing_is_destroyed_until_a_person_says_so(cloud: Cloud) -> None:
    cloud.fake.foreign_files.append(STRAY)
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


def test_a_discard_is_evidence_and_the_node_signs_for_it(cloud: Cloud) -> None:
    cloud.fake.foreign_files.append(STRAY)
    orphans.reconcile()
    row = discard(Orphan.objects.get())
    orphans.reconcile()
    cloud.machine.account()
    documents = [signed.read(bytes(each.document)).payload for each in Receipt.objects.order_by("number")]
    ours = [each["event"] for each in documents if each["resource"] == str(row.pk)]
    assert ours == ["quarantined", "discarded"]
    assert EvidenceRecord.objects.filter(kind="receipt").count() == Receipt.objects.count()
    assert EvidenceRecord.objects.filter(kind="incident", document__contains="orphan-discarded").exists()
    asked, carried_out = AuditEntry.objects.filter(verb__startswith="orphan.discard").order_by("created_at")
    assert (asked.user_id, carried_out.user_id) == (OPERATOR.user_id, None)


def test_a_node_that_is_away_does_not_lose_the_decision(cloud: Cloud) -> None:
    cloud.fake.foreign_files.append(STRAY)
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


def test_a_worker_that_dies_after_the_node_has_done_it_leaves_nothing_undone(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.fake.foreign_files.append(STRAY)
    orphans.reconcile()
    row = discard(Orphan.objects.get())
    with monkeypatch.context() as patch:
        patch.setattr(orphans, "_is_discarded", lambda *_: die(None))
        with pytest.raises(Killed):
            orphans.reconcile()
    orphans.reconcile()
    row.refresh_from_db()
    assert row.state == "discarded"


def test_what_was_only_found_can_be_discarded(cloud: Cloud, settings: Settings) -> None:
    settings.QUARANTINE_AFTER_S = 3600
    cloud.fake.foreign_domains.append("by-hand")
    orphans.reconcile()
    discard(Orphan.objects.get())
    orphans.reconcile()
    assert states() == {"by-hand": "discarded"}
    assert not cloud.fake.foreign_domains


def test_what_is_meant_by_now_is_not_destroyed(cloud: Cloud) -> None:
    volume = make_volume(cloud)
    forget(volume)
    orphans.reconcile()
    row = discard(Orphan.objects.get())
    Volume.objects.update(state="available", node=cloud.machine.row)
    orphans.reconcile()
    row.refresh_from_db()
    assert (row.requested_action, row.problem) == ("", orphans.NOW_EXPECTED)
    orphans.reconcile()
    assert volume.pk in cloud.fake.volumes


def test_another_name_destroys_nothing(cloud: Cloud) -> None:
    cloud.fake.foreign_files.append(STRAY)
    orphans.reconcile()
    with pytest.raises(OrphanNameDiffers):
        services.orphan_discard(OPERATOR, Orphan.objects.get(), name="volumes/another.raw", reason="")


def test_only_people_who_operate_decide(cloud: Cloud) -> None:
    cloud.fake.foreign_files.append(STRAY)
    orphans.reconcile()
    row = Orphan.objects.get()
    for actor in (SYSTEM, make_tenant("other").actor, Actor(new_id(), new_id(), None, "", is_auditor=True)):
        with pytest.raises(RoleNeeded):
            services.orphan_discard(actor, row, name=row.name, reason="")
        with pytest.raises(RoleNeeded):
            services.orphan_release(actor, row, reason="")


def test_what_is_released_is_as_it_was_and_no_alarm(cloud: Cloud) -> None:
    facts = DomainFacts(Power.RUNNING, 256, "<domain/>", bridges=("br0123456789a",))
    cloud.fake.unmanaged.facts["router"] = facts
    cloud.fake.foreign_domains.append("router")
    cloud.fake.foreign_files.append(STRAY)
    cloud.machine.account()
    orphans.reconcile()
    for row in Orphan.objects.all():
        services.orphan_release(OPERATOR, row, reason="it is ours")
    orphans.reconcile()
    assert set(states().values()) == {"released"}
    assert not cloud.fake.unmanaged.paused
    assert cloud.fake.foreign_files == [STRAY]
    cloud.machine.account()
    orphans.reconcile()
    assert set(states().values()) == {"released"}, "nobody takes it again"
    assert not Incident.objects.filter(ended_at=None).exists()
    row = discard(Orphan.objects.get(name=STRAY))
    orphans.reconcile()
    row.refresh_from_db()
    assert row.state == "discarded"


def test_a_decision_can_be_taken_back_until_it_is_carried_out(cloud: Cloud) -> None:
    cloud.fake.foreign_files.append(STRAY)
    orphans.reconcile()
    row = discard(Orphan.objects.get())
    services.orphan_release(OPERATOR, row, reason="wait, that is the backup")
    orphans.reconcile()
    assert cloud.fake.foreign_files == [STRAY]
    row.refresh_from_db()
    with pytest.raises(OrphanWrongState):
        services.orphan_release(OPERATOR, row, reason="again")


def test_what_a_retired_node_has_is_gone(cloud: Cloud) -> None:
    cloud.fake.foreign_files.append(STRAY)
    orphans.reconcile()
    Node.objects.update(admin_state="retired")
    orphans.reconcile()
    assert states() == {STRAY: "gone"}


# ---- rows


def test_a_place_without_an_owner_is_found_and_freed_by_a_person(cloud: Cloud) -> None:
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


def test_places_that_somebody_has_are_none(cloud: Cloud) -> None:
    make_instance(cloud, volumes=(make_volume(cloud),))
    long_ago(*Allocation.objects.all(), *Port.objects.all())
    orphans.reconcile()
    assert not Orphan.objects.exists()


def test_an_address_without_an_instance_is_found_and_freed_on_its_node_too(cloud: Cloud) -> None:
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


def test_an_address_of_a_moment_ago_is_none(cloud: Cloud) -> None:
    port_create(cloud.network, port_id=new_id(), instance_id=new_id())
    orphans.reconcile()
    assert not Orphan.objects.exists()


# ---- what is missing


def open_incidents() -> set[tuple[str, str]]:
    return set(Incident.objects.filter(ended_at=None).values_list("kind", "name"))


def last_error(instance: Instance | Volume) -> object:
    instance.refresh_from_db()
    return instance.last_error["code"] if instance.last_error else None


def test_a_guest_that_is_missing_is_an_incident_and_said_on_the_instance(cloud: Cloud) -> None:
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


def test_data_that_is_missing_is_said_on_the_volume_and_on_the_instance(cloud: Cloud) -> None:
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


def test_a_port_that_is_missing_is_said_on_the_instance(cloud: Cloud) -> None:
    instance = make_instance(cloud)
    ledger = cloud.machine.server.node.state_store
    ledger.execute("DELETE FROM resource WHERE kind = 'port'")
    cloud.fake.ports.clear()
    long_ago(instance)
    orphans.reconcile()
    assert open_incidents() == {("missing-port", str(Port.objects.get().pk))}
    assert last_error(instance) == PortMissing.code


def test_another_last_error_stays(cloud: Cloud) -> None:
    instance = make_instance(cloud)
    Instance.objects.update(last_error={"code": "other"})
    del cloud.fake.guests[instance.pk]
    long_ago(instance)
    orphans.reconcile()
    assert last_error(instance) == "other"
    assert open_incidents() == {("missing-guest", str(instance.pk))}


def test_a_node_that_lost_its_ledger_has_no_orphans_of_what_is_meant(cloud: Cloud) -> None:
    instance = make_instance(cloud)
    cloud.machine.replace_disk()
    cloud.machine.heartbeat()
    long_ago(instance)
    orphans.reconcile()
    kinds = {row.kind for row in Orphan.objects.all()}
    assert kinds <= {"port"}
    assert cloud.fake.guests[instance.pk].power is Power.RUNNING
    assert UUID(str(instance.root_volume_id)) in cloud.fake.volumes


def test_a_finding_does_not_hide_behind_a_guests_name(cloud: Cloud) -> None:
    cloud.fake.foreign_domains.append(guest_name(new_id()))
    orphans.reconcile()
    row = Orphan.objects.get()
    assert (row.kind, row.state) == ("domain", "quarantined")
    assert row.resource_id is not None


def test_removals_that_are_due_come_first(cloud: Cloud) -> None:
    instance = make_instance(cloud)
    delete_while_silent(cloud, instance)
    long_ago(instance)
    orphans.reconcile()
    node_removals.reconcile()
    orphans.reconcile()
    assert not Orphan.objects.exists()
    assert cloud.fake.is_clean()
