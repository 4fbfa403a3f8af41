"""The checks find each kind of damage that is planted in an undamaged cloud."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction

from controlplane.announcers.models import AnnouncementsDocument
from controlplane.compute.errors import EvacuationBlocked
from controlplane.compute.migration import instance_migrate
from controlplane.compute.models import Attachment, Instance, Migration
from controlplane.compute.public_address_attachments import AttachRequest, public_address_attach
from controlplane.events.models import Event
from controlplane.events.services import assign_positions
from controlplane.identity.actor import SYSTEM
from controlplane.kernel import clock
from controlplane.kernel.ids import new_id
from controlplane.network.models import AddressPool, Port, PortAddress, PortRulesCopy, PublicAddress
from controlplane.network.public_addresses import NewAddress, public_address_create
from controlplane.node_lifecycle.drain.drains import node_maintain
from controlplane.node_lifecycle.fencing.fencing import record_fence_evidence
from controlplane.node_lifecycle.recovery import reconciler as executor
from controlplane.node_lifecycle.recovery.recoveries import NewRecovery, recover_begin
from controlplane.nodes import agent_client
from controlplane.nodes.admin_state import node_return
from controlplane.nodes.models import (
    Drain,
    DrainGuest,
    FenceEvidence,
    Incident,
    Inventory,
    Node,
    NodeRemoval,
    Orphan,
    Pool,
    Receipt,
)
from controlplane.operations.models import Operation, ResourceLock
from controlplane.placement.models import Allocation
from controlplane.quotas.models import QuotaUse
from controlplane.reconcilers import node_removals, port_rules
from controlplane.signer import announcements
from controlplane.signer.port_rules import sign_all
from controlplane.storage.models import Volume
from controlplane.storage.services import NewVolume, volume_create
from scripts.chaos import checks
from tests.power import lose_power
from tests.workflows.helpers import attach, done, fresh, make_instance, make_shared, make_volume, share
from tests.world import Cloud, follow

Damage = Callable[[Cloud], object]


@pytest.fixture
def settled(cloud: Cloud) -> Cloud:
    """A running instance with a volume and a public address, all accounts made up."""
    instance, volume = make_instance(cloud), make_volume(cloud)
    done(attach(cloud, instance, volume)[1])
    Node.objects.update(underlay_ip="10.99.0.1")
    address = reserve_address(cloud, "www")
    public_address_attach(cloud.tenant.actor, address, AttachRequest(Port.objects.get(instance_id=instance.pk)))
    account(cloud)
    return cloud


@pytest.fixture
def recovered(cloud: Cloud) -> Cloud:
    """A guest in a pool, made again elsewhere when its node was dead; the node is back, and has forgotten it."""
    make_shared(cloud)
    share(cloud, cloud.world.add_machine("fr-idf-1"))
    lose_power(cloud.machine.fake)
    cloud.machine.become_unreachable()
    record_fence_evidence(SYSTEM, cloud.machine.row, kind="lease", reason="", detail={})
    recover_begin(SYSTEM, fresh(cloud.machine.row), NewRecovery(None))
    executor.reconcile()
    done(Operation.objects.get(kind="instance.evacuate"))
    executor.reconcile()
    node_maintain(SYSTEM, fresh(cloud.machine.row), reason="")
    cloud.machine.come_back()
    node_removals.reconcile()
    node_return(SYSTEM, fresh(cloud.machine.row))
    account(cloud)
    return cloud


def reserve_address(cloud: Cloud, name: str) -> PublicAddress:
    of_pool = {"zone": cloud.machine.row.zone, "family": "ipv4", "purpose": "addresses", "cidrs": ["203.0.113.0/28"]}
    pool, _ = AddressPool.objects.get_or_create(name="public", defaults=of_pool)
    return public_address_create(cloud.tenant.actor, cloud.tenant.project, NewAddress(pool, name))


def account(cloud: Cloud) -> None:
    for machine in cloud.world.machines:
        machine.account()
    sign_all()
    announcements.sign_all()
    port_rules.reconcile()
    assign_positions()


def found(cloud: Cloud) -> dict[str, list[str]]:
    return {name: lines for name, check in checks.CHECKS.items() if (lines := check())}


def guest(cloud: Cloud) -> Any:
    return Instance.objects.get()


def unmanaged_guest(cloud: Cloud) -> None:
    cloud.fake.foreign_domains.append("stranger")


def lost_guest(cloud: Cloud) -> None:
    cloud.fake.guests.clear()


def stopped_guest(cloud: Cloud) -> None:
    cloud.fake.crash(guest(cloud).pk)


def instance_without_row(cloud: Cloud) -> None:
    Attachment.objects.all().delete()
    Instance.objects.update(state="deleted", node=None)


def volume_without_row(cloud: Cloud) -> None:
    Attachment.objects.all().delete()
    Volume.objects.update(state="deleted", node=None)


def volume_too_small(cloud: Cloud) -> None:
    cloud.fake.volumes[Volume.objects.get().pk] = 1


def port_rules_signed_too_early(cloud: Cloud) -> None:
    PortAddress.objects.update(ip="10.0.0.99")


def port_rules_sent_to_nobody(cloud: Cloud) -> None:
    PortRulesCopy.objects.update(version=1)


def announced_address_without_row(cloud: Cloud) -> None:
    PublicAddress.objects.update(ip="203.0.113.9")


def suspended_address_still_announced(cloud: Cloud) -> None:
    PublicAddress.objects.update(suspended_at=clock.now())


def address_attached_and_not_announced(cloud: Cloud) -> None:
    address = reserve_address(cloud, "late")
    PublicAddress.objects.filter(pk=address.pk).update(port=Port.objects.get())


def address_announced_behind_another_node(cloud: Cloud) -> None:
    Node.objects.update(underlay_ip="10.99.0.2")


def lost_announcements(cloud: Cloud) -> None:
    AnnouncementsDocument.objects.all().delete()


def port_without_owner(cloud: Cloud) -> None:
    Port.objects.update(instance_id=new_id())


def lost_port(cloud: Cloud) -> None:
    Port.objects.all().delete()


def lost_allocation(cloud: Cloud) -> None:
    Allocation.objects.filter(kind="instance").delete()


def other_size(cloud: Cloud) -> None:
    Allocation.objects.filter(kind="volume").update(disk_gib=7)


def drifted_node(cloud: Cloud) -> None:
    Inventory.objects.update(vcpus_used=3)


def drifted_quota(cloud: Cloud) -> None:
    QuotaUse.objects.filter(dimension="vcpus").update(amount=5)


def forgotten_hold(cloud: Cloud) -> None:
    ResourceLock.objects.create(resource_id=new_id(), operation=an_operation())


def forgotten_operation(cloud: Cloud) -> None:
    Operation.objects.filter(pk=an_operation().pk).update(state="running", finished_at=None)


def forgotten_lease(cloud: Cloud) -> None:
    Operation.objects.filter(pk=an_operation().pk).update(lease_token=new_id())


def bug(cloud: Cloud) -> None:
    Operation.objects.filter(pk=an_operation().pk).update(error={"code": "internal"})


def half_made(cloud: Cloud) -> None:
    Instance.objects.update(state="building")


def half_deleted(cloud: Cloud) -> None:
    Volume.objects.update(is_deleting=True)


def half_plugged(cloud: Cloud) -> None:
    Attachment.objects.update(is_plugged=False)


def wrong_volume_state(cloud: Cloud) -> None:
    Volume.objects.update(state="available")


def removal_left(cloud: Cloud) -> None:
    NodeRemoval.objects.create(node=cloud.machine.row, kind="port", resource_id=new_id(), generation=1)


def lost_receipt(cloud: Cloud) -> None:
    Receipt.objects.filter(number=2).delete()


def forged_receipt(cloud: Cloud) -> None:
    Receipt.objects.filter(number=1).update(is_genuine=False)


def receipt_never_closed(cloud: Cloud) -> None:
    cloud.fake.guests.clear()


def incident(cloud: Cloud) -> None:
    Incident.objects.create(node=cloud.machine.row, kind="unknown-domain", name="x", observed_at=clock.now())


def orphan(cloud: Cloud) -> None:
    Orphan.objects.create(node=cloud.machine.row, kind="file", name="volumes/x", observed_at=clock.now())


def silent_node(cloud: Cloud) -> None:
    cloud.machine.stop_agent()


def lost_event(cloud: Cloud) -> None:
    Event.objects.filter(kind="operation.succeeded", operation_id=an_operation().pk).delete()


def doubled_event(cloud: Cloud) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT max(position) FROM events_event")
        (last,) = cursor.fetchone()
    copy = Event.objects.get(kind="operation.succeeded", operation_id=an_operation().pk)
    copy.pk, copy.id, copy.position = None, new_id(), last + 1
    copy.save(force_insert=True)


def event_without_place(cloud: Cloud) -> None:
    Event.objects.filter(kind="operation.pending", operation_id=an_operation().pk).update(position=None)


def unmanaged_file(cloud: Cloud) -> None:
    (volumes_in_pool() / f"{new_id()}.qcow2").touch()


def lost_file(cloud: Cloud) -> None:
    for path in volumes_in_pool().iterdir():
        path.unlink()


def volumes_in_pool() -> Path:
    return Path(Pool.objects.get().path) / "volumes"


def drifted_pool(cloud: Cloud) -> None:
    Pool.objects.update(used_gib=7)


def place_in_no_pool(cloud: Cloud) -> None:
    Allocation.objects.update(pool=None, pool_gib=0)


def unproved_death(cloud: Cloud) -> None:
    """Then the guest ran on both nodes until the dead one said that it had ended."""
    FenceEvidence.objects.all().delete()


def forgotten_node(cloud: Cloud) -> None:
    Node.objects.filter(pk=cloud.machine.row.pk).update(admin_state="fenced")


def node_in_maintenance(cloud: Cloud) -> None:
    Node.objects.filter(pk=cloud.machine.row.pk).update(admin_state="maintenance")


def node_that_was_not_dead(cloud: Cloud) -> None:
    now = clock.now()
    Incident.objects.create(node=cloud.machine.row, kind="fence-broken", name="x", observed_at=now, ended_at=now)


def recovery_under_way(cloud: Cloud) -> None:
    Drain.objects.update(state="blocked")


def guest_left_without_a_word(cloud: Cloud) -> None:
    DrainGuest.objects.update(state="left", reasons=[])


def move_under_way(cloud: Cloud) -> None:
    Migration.objects.update(kind="migrate", state="preparing")  # an evacuation the database itself refuses


def guest_without_place(cloud: Cloud) -> None:
    Instance.objects.update(last_error=EvacuationBlocked(explanation="").as_document())


def an_operation() -> Operation:
    return Operation.objects.order_by("created_at")[0]


DAMAGES: list[tuple[Damage, str]] = [
    (unmanaged_guest, "nodes"),
    (lost_guest, "nodes"),
    (stopped_guest, "nodes"),
    (instance_without_row, "nodes"),
    (volume_without_row, "nodes"),
    (lost_port, "nodes"),
    (silent_node, "nodes"),
    (volume_too_small, "sizes"),
    (port_without_owner, "addresses"),
    (lost_port, "addresses"),
    (port_rules_signed_too_early, "port rules"),
    (port_rules_sent_to_nobody, "port rules"),
    (announced_address_without_row, "announcements"),
    (suspended_address_still_announced, "announcements"),
    (address_attached_and_not_announced, "announcements"),
    (address_announced_behind_another_node, "announcements"),
    (lost_announcements, "announcements"),
    (lost_port, "announcements"),
    (lost_allocation, "allocations"),
    (volume_without_row, "allocations"),
    (other_size, "allocations"),
    (drifted_node, "allocations"),
    (drifted_quota, "allocations"),
    (forgotten_hold, "operations"),
    (forgotten_operation, "operations"),
    (forgotten_lease, "operations"),
    (bug, "operations"),
    (half_made, "resources"),
    (half_deleted, "resources"),
    (half_plugged, "resources"),
    (wrong_volume_state, "resources"),
    (removal_left, "resources"),
    (lost_receipt, "receipts"),
    (forged_receipt, "receipts"),
    (receipt_never_closed, "receipts"),
    (incident, "incidents"),
    (orphan, "orphans"),
    (lost_event, "events"),
    (doubled_event, "events"),
    (event_without_place, "events"),
]


LOSSES: list[tuple[Damage, str]] = [
    (drifted_pool, "allocations"),
    (place_in_no_pool, "allocations"),
    (unproved_death, "receipts"),
    (forgotten_node, "recoveries"),
    (node_in_maintenance, "recoveries"),
    (node_that_was_not_dead, "recoveries"),
    (recovery_under_way, "recoveries"),
    (guest_left_without_a_word, "recoveries"),
    (move_under_way, "recoveries"),
    (guest_without_place, "recoveries"),
    (unmanaged_file, "files"),
    (lost_file, "files"),
]


def test_undamaged_cloud_has_no_findings(settled: Cloud) -> None:
    assert found(settled) == {}


def test_node_may_have_forgotten_a_pool_volume_only(settled: Cloud) -> None:
    new = NewVolume(name="shared", size_gib=2, volume_type=share(settled))
    shared, operation = volume_create(settled.tenant.actor, settled.tenant.project, new)
    done(operation)
    kept, shared = make_volume(settled, "kept"), fresh(shared)
    agent_client.remove(shared.node, kind="shared-volume", resource_id=shared.pk, generation=shared.generation)
    account(settled)
    assert found(settled) == {}
    agent_client.remove(kept.node, kind="volume", resource_id=kept.pk, generation=kept.generation)
    assert checks.nodes() != []


def test_damage_is_found_after_node_recovery(recovered: Cloud) -> None:
    assert found(recovered) == {}
    for damage, check in LOSSES:
        before = transaction.savepoint()  # of the test's own transaction: checks call nodes
        damage(recovered)
        assert checks.CHECKS[check](), damage.__name__
        transaction.savepoint_rollback(before)


@pytest.mark.parametrize(("damage", "check"), DAMAGES, ids=[f"{damage.__name__}-{check}" for damage, check in DAMAGES])
def test_damage_is_found(settled: Cloud, damage: Damage, check: str) -> None:
    damage(settled)
    assert checks.CHECKS[check]()


def test_a_guest_that_ran_on_two_nodes_at_once_is_found() -> None:
    one, other = new_id(), new_id()
    apart = [("2026-01-01T10:00:00Z", "2026-01-01T10:05:00Z", one), ("2026-01-01T10:05:00Z", "now", other)]
    assert checks.overlaps("web", apart) == []
    both = [("2026-01-01T10:00:00Z", "now", one), ("2026-01-01T10:05:00Z", "2026-01-01T10:06:00Z", other)]
    assert len(checks.overlaps("web", both)) == 1


def test_evidence_of_fencing_ends_the_guests_run() -> None:
    before, at, after = "2026-01-01T10:00:00Z", "2026-01-01T10:05:00Z", "2026-01-01T10:09:00Z"
    assert checks.ended(before, after, [at]) == at, "it was said when the node was back"
    assert checks.ended(before, "now", [at]) == at
    assert checks.ended(after, "now", [at]) == "now", "it began when the node was back"
    assert checks.ended(before, at, [after]) == at


def reported(operation: Operation, /, **more: Any) -> dict[str, Any]:
    return {
        "kind": operation.kind,
        "status": 202,
        "key": "",
        "name": "",
        "resource": str(operation.resource_id),
        "operation": str(operation.pk),
        "state": operation.state,
        "requested": {},
        **more,
    }


def test_answers_to_users_are_compared_with_the_rows(settled: Cloud) -> None:
    reports = [reported(each) for each in Operation.objects.all()]
    assert checks.answers(reports) == []
    volume = Volume.objects.get()
    assert checks.answers(reports[1:]), "an operation that nobody was told of"
    assert checks.answers([*reports, reported(an_operation(), operation=str(new_id()))]), "one that there is not"
    assert checks.answers([*reports, reported(an_operation(), state="failed")]), "another end"
    last = Operation.objects.get(kind="volume.attach")
    as_asked = reported(last, resource=str(volume.pk), requested={"instance": str(guest(settled).pk)})
    assert checks.answers([*reports, as_asked]) == []
    assert checks.answers([*reports, {**as_asked, "requested": {"size_gib": 77}}]), "not what was requested"
    twice = reported(an_operation(), key="k", name="web")
    assert checks.answers([*reports, twice, twice]), "a key that was used twice"


def test_deletion_with_lost_answer_may_be_answered_204(settled: Cloud) -> None:
    operation = an_operation()
    others = [reported(each) for each in Operation.objects.exclude(pk=operation.pk)]
    gone = reported(operation, operation="", state="", status=204)
    assert checks.answers([*others, gone]) == []


def test_one_of_two_concurrent_deletions_is_reported(settled: Cloud) -> None:
    unreported, one = Operation.objects.order_by("created_at")[:2]
    Operation.objects.filter(pk__in=[unreported.pk, one.pk]).update(resource_id=new_id(), kind="instance.delete")
    reports = [reported(each) for each in Operation.objects.exclude(pk=unreported.pk)]
    about_both = "operation instance.delete {} was told to nobody"
    assert about_both.format(unreported.pk) not in checks.answers(reports)
    Operation.objects.filter(pk=one.pk).update(resource_id=new_id())
    assert about_both.format(unreported.pk) in checks.answers(reports)


def test_migration_to_a_wrong_node_is_found(settled: Cloud) -> None:
    other = settled.world.add_machine("fr-idf-1")
    moved = follow(instance_migrate(SYSTEM, guest(settled)))
    reports = [reported(each, resource=str(each.resource_id)) for each in Operation.objects.all()]
    assert checks.answers(reports) == []
    Migration.objects.filter(operation_id=moved.pk).update(source=other.row, destination=settled.machine.row)
    assert [line.split()[0] for line in checks.answers(reports)] == ["instance.migrate"]


def test_leftovers_after_deletion_of_everything_are_found(settled: Cloud) -> None:
    kinds = {line.split()[1] for line in checks.emptiness()}
    assert {"instances", "volumes", "allocations", "ports", "public", "attachments", "quotas"} <= kinds
