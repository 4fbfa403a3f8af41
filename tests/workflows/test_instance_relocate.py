"""Relocation of a stopped instance with its volume to another zone, over real gRPC, as its project requests it."""

from ipaddress import ip_address

import pytest
from django.core.management import call_command

from agents.node.adapters.interfaces import Power
from agents.node.errors import AdapterError
from andromede_core.documents import signed
from andromede_core.permits import permit as core
from controlplane.audit.selectors import residency_of
from controlplane.catalog.models import Zone
from controlplane.compute import relocation
from controlplane.compute.errors import InstanceNotRelocatable, InstanceWrongState
from controlplane.compute.models import Attachment, Instance, Migration
from controlplane.compute.public_address_attachments import AttachRequest, public_address_attach
from controlplane.compute.relocation import instance_relocate, relocation_plan
from controlplane.compute.services import instance_delete, instance_power_off, instance_start
from controlplane.network.models import (
    AddressPool,
    EgressAddress,
    Network,
    Port,
    PortAddress,
    PortBinding,
    PublicAddress,
    Subnet,
)
from controlplane.network.public_addresses import NewAddress, public_address_create
from controlplane.nodes.models import Incident, Inventory, Pool
from controlplane.operations.errors import Busy, NotCancellable
from controlplane.operations.models import Operation
from controlplane.operations.services import operation_cancel
from controlplane.placement.errors import InsufficientCapacity, NoPlace, PolicyUnsatisfiable
from controlplane.placement.models import Allocation, Decision, Permit
from controlplane.storage.models import Volume
from controlplane.workflows import instance_migrate
from controlplane.workflows.registry import WORKFLOWS
from tests.services.policies import in_zones, ruled
from tests.workflows.helpers import (
    altered,
    assert_clean_slate,
    cancel,
    delete_everything,
    done,
    fresh,
    make_attached,
    picture,
    run_on,
    share,
    then,
)
from tests.world import Cloud, FakeMachine, follow, make_address_pool, make_zone

THERE = "de-fra-1"


@pytest.fixture
def stopped(cloud: Cloud) -> Instance:
    """With a volume, in the first of two zones with a node each."""
    instance = make_attached(cloud).instance
    done(instance_power_off(cloud.tenant.actor, instance))
    cloud.world.add_machine(THERE)
    return fresh(instance)


@pytest.fixture
def other(cloud: Cloud, stopped: Instance) -> FakeMachine:
    return cloud.world.machines[-1]


def relocate(cloud: Cloud, instance: Instance, zone: str = THERE) -> Operation:
    return instance_relocate(cloud.tenant.actor, fresh(instance), zone=Zone.objects.get(pk=zone))


def ended(operation: Operation, state: str = "succeeded") -> Operation:
    assert follow(operation).state == state, (operation.state, operation.error, operation.steps)
    return operation


def restrict(cloud: Cloud, zone: str) -> None:
    """Let a policy of the project admit only this zone."""
    ruled(cloud.tenant.project, *in_zones(zone))


def account(cloud: Cloud) -> None:
    for machine in cloud.world.machines:
        machine.account()


def assert_is_off_at(cloud: Cloud, instance: Instance, here: FakeMachine) -> None:
    instance = fresh(instance)
    assert (instance.node, instance.state, instance.power_state) == (here.row, "stopped", "off")
    assert {volume.node for volume in Volume.objects.all()} == {here.row}
    assert set(Allocation.objects.values_list("node_id", "moving_id")) == {(here.row.pk, None)}
    assert set(PortBinding.objects.values_list("node", flat=True)) == {here.row.pk}
    for machine in cloud.world.machines:
        guest, is_here = machine.fake.guests.get(instance.pk), machine is here
        assert (guest is not None, bool(machine.fake.volumes), bool(machine.fake.ports)) == (is_here,) * 3
        assert guest is None or guest.power is Power.OFF
        assert not machine.fake.tunnel.expected


def where(instance: Instance) -> dict[str, set[tuple[str, str]]]:
    """Return the zones of the open intervals of the residency, with their states, by role."""
    found = residency_of(instance.pk)
    assert not found.problems
    places: dict[str, set[tuple[str, str]]] = {}
    for interval in found.intervals:
        assert interval.is_compliant
        if interval.end is None:
            places.setdefault(interval.role, set()).add((interval.zone, interval.state))
    return places


def test_project_relocates_its_instance_and_starts_it_there(
    cloud: Cloud, stopped: Instance, other: FakeMachine
) -> None:
    addresses = set(PortAddress.objects.values_list("port", "ip"))
    source, volume = cloud.machine.row, Volume.objects.get()
    account(cloud)
    assert {zone for zone, _ in where(stopped)["storage"]} == {source.zone_id}
    ended(relocate(cloud, stopped))
    assert_is_off_at(cloud, stopped, other)
    after = fresh(stopped)
    assert (after.name, after.labels, after.root_volume_id) == (stopped.name, stopped.labels, stopped.root_volume_id)
    assert set(PortAddress.objects.values_list("port", "ip")) == addresses
    assert fresh(volume).state == "in-use"
    migration = Migration.objects.get()
    assert (migration.kind, migration.state, migration.requested_zone_id) == ("relocate", "done", THERE)
    account(cloud)
    assert where(stopped)["storage"] == {(THERE, "proven")}
    assert not Incident.objects.exists()
    done(instance_start(cloud.tenant.actor, after))
    assert other.fake.guests[stopped.pk].power is Power.RUNNING
    done(instance_power_off(cloud.tenant.actor, fresh(stopped)))
    ended(relocate(cloud, stopped, source.zone_id))
    assert_is_off_at(cloud, stopped, cloud.machine)
    delete_everything(cloud)
    assert_clean_slate(cloud)


def test_network_documents_follow_the_instance(cloud: Cloud, stopped: Instance, other: FakeMachine) -> None:
    port = Port.objects.get()

    def carriers() -> dict[str, set[str]]:
        """Return the nodes that carry the network, by zone, as its segments say."""
        rows = PortBinding.objects.filter(port__network=port.network_id).values_list("node__zone", "node")
        zones = {str(zone) for zone, _ in rows}
        return {zone: {str(node) for each, node in rows if each == zone} for zone in zones}

    here, seen = cloud.machine.row, []
    operation = relocate(cloud, stopped)
    run_on(operation, altered(WORKFLOWS["instance.relocate"], "expect", then(lambda _: seen.append(carriers()))))
    ended(operation)
    assert seen == [{here.zone_id: {str(here.pk)}, THERE: {str(other.row.pk)}}]
    assert carriers() == {THERE: {str(other.row.pk)}}
    assert other.fake.ports[port.pk].addresses == tuple(
        ip_address(ip) for ip in port.addresses.order_by("pk").values_list("ip", flat=True)
    )


def test_deletion_ends_the_relocation(cloud: Cloud, stopped: Instance, other: FakeMachine) -> None:
    operation = relocate(cloud, stopped)
    deletions: list[Operation] = []

    def delete(_: Operation) -> None:
        deletions.append(instance_delete(cloud.tenant.actor, fresh(stopped)))

    run_on(operation, altered(WORKFLOWS["instance.relocate"], "volume-0", then(delete)))
    ended(operation, "cancelled")
    ended(deletions[0])
    delete_everything(cloud)
    assert_clean_slate(cloud)


def test_permits_name_the_node_of_the_other_zone(cloud: Cloud, stopped: Instance, other: FakeMachine) -> None:
    operation = ended(relocate(cloud, stopped))
    rows = Permit.objects.filter(operation_id=operation.pk)
    permits = {row.op: core.parse(signed.read(bytes(row.document or b"")).payload) for row in rows}
    taken, sent = permits.pop("instance.migrate"), permits.pop("instance.migrate-out")
    assert not permits
    assert (taken.zone, taken.aud, sent.zone, sent.aud) == (
        THERE,
        str(other.row.pk),
        cloud.machine.row.zone_id,
        str(cloud.machine.row.pk),
    )
    assert taken.peer is not None and taken.peer.node == str(cloud.machine.row.pk)
    assert sent.peer is not None and sent.peer.node == str(other.row.pk)
    assert sent.roles == ()


def test_residency_has_both_zones_until_the_source_is_erased(
    cloud: Cloud, stopped: Instance, other: FakeMachine
) -> None:
    seen: list[set[tuple[str, str]]] = []

    def look(_: Operation) -> None:
        account(cloud)
        seen.append(where(stopped)["storage"])

    operation = run_on(relocate(cloud, stopped), altered(WORKFLOWS["instance.relocate"], "settle", then(look)))
    ended(operation)
    assert {zone for zone, _ in seen[0]} == {cloud.machine.row.zone_id, THERE}
    account(cloud)
    assert where(stopped)["storage"] == {(THERE, "proven")}


@pytest.mark.parametrize("step", ["place", "volume-0", "expect"])
def test_cancelled_relocation_leaves_the_instance_in_its_zone(
    cloud: Cloud, stopped: Instance, other: FakeMachine, step: str
) -> None:
    before = picture(cloud)
    operation = run_on(relocate(cloud, stopped), altered(WORKFLOWS["instance.relocate"], step, then(cancel(cloud))))
    ended(operation, "cancelled")
    assert picture(cloud) == before
    assert_is_off_at(cloud, stopped, cloud.machine)
    ended(relocate(cloud, stopped))
    assert_is_off_at(cloud, stopped, other)


def test_relocation_is_not_cancelled_after_the_arrival(cloud: Cloud, stopped: Instance, other: FakeMachine) -> None:
    refused: list[bool] = []

    def cancel_late(operation: Operation) -> None:
        with pytest.raises(NotCancellable):
            operation_cancel(cloud.tenant.actor, fresh(operation))
        refused.append(True)

    operation = relocate(cloud, stopped)
    run_on(operation, altered(WORKFLOWS["instance.relocate"], "clear-source", then(cancel_late)))
    ended(operation)
    assert refused
    assert_is_off_at(cloud, stopped, other)


@pytest.mark.parametrize("call", ["bring_up", "send"])
def test_failed_relocation_leaves_the_instance_in_its_zone(
    cloud: Cloud, stopped: Instance, other: FakeMachine, call: str
) -> None:
    before = picture(cloud)
    cloud.fake.fail_next(call, AdapterError("The road is closed.", retryable=False))
    assert ended(relocate(cloud, stopped), "failed").error["code"] == "compute.migration.failed"
    assert picture(cloud) == before
    assert_is_off_at(cloud, stopped, cloud.machine)


# ---- obstacles


def test_running_instance_is_not_relocated(cloud: Cloud, stopped: Instance) -> None:
    done(instance_start(cloud.tenant.actor, stopped))
    with pytest.raises(InstanceWrongState, match="stopped"):
        relocate(cloud, stopped)
    assert [reason["code"] for zone in relocation_plan(fresh(stopped)).zones for reason in zone.reasons] == [
        "compute.instance.wrong_state"
    ]


def test_guest_that_is_still_up_is_not_relocated(cloud: Cloud, stopped: Instance) -> None:
    Instance.objects.filter(pk=stopped.pk).update(power_state="running")
    with pytest.raises(InstanceNotRelocatable, match="still running"):
        relocate(cloud, stopped)


def test_instance_is_not_relocated_within_its_zone(cloud: Cloud, stopped: Instance) -> None:
    cloud.world.add_machine(cloud.machine.row.zone_id)
    with pytest.raises(InstanceNotRelocatable, match="in this zone") as refused:
        relocate(cloud, stopped, cloud.machine.row.zone_id)
    assert refused.value.field == "zone"


def test_zone_that_is_closed_or_full_takes_no_instance(cloud: Cloud, stopped: Instance, other: FakeMachine) -> None:
    Zone.objects.filter(pk=THERE).update(status="draining")
    with pytest.raises(NoPlace, match=THERE):
        relocate(cloud, stopped)
    Zone.objects.filter(pk=THERE).update(status="open")
    Inventory.objects.filter(pk=other.row.pk).update(disk_gib_total=0)
    with pytest.raises(InsufficientCapacity):
        relocate(cloud, stopped)
    assert not Migration.objects.exists()


def test_instance_with_a_volume_in_a_pool_is_not_relocated(cloud: Cloud, stopped: Instance) -> None:
    pool = share(cloud).pool
    volume = Volume.objects.get()
    Volume.objects.filter(pk=volume.pk).update(pool=Pool.objects.get(name=pool))
    with pytest.raises(InstanceNotRelocatable) as refused:
        relocate(cloud, stopped)
    assert volume.name in str(refused.value)
    assert "Retype it" in str(refused.value)


def test_read_only_volume_is_not_relocated(cloud: Cloud, stopped: Instance) -> None:
    Attachment.objects.update(is_read_only=True)
    with pytest.raises(InstanceNotRelocatable, match="read-only"):
        relocate(cloud, stopped)


def test_root_disk_in_a_pool_is_not_relocated(cloud: Cloud, stopped: Instance) -> None:
    pool = Pool.objects.get(name=share(cloud).pool)
    Instance.objects.filter(pk=stopped.pk).update(root_pool=pool)
    with pytest.raises(InstanceNotRelocatable, match="its root disk is in the pool shared"):
        relocate(cloud, stopped)


def public_address(cloud: Cloud, zone: str) -> PublicAddress:
    fields = {"zone_id": zone, "family": "ipv4", "purpose": "addresses", "cidrs": ["198.51.100.0/24"]}
    pool = AddressPool.objects.create(name=f"public-{zone}", **fields)
    return public_address_create(cloud.tenant.actor, cloud.tenant.project, NewAddress(pool))


def test_public_address_keeps_the_instance_in_its_zone(cloud: Cloud, stopped: Instance) -> None:
    address = public_address(cloud, cloud.machine.row.zone_id)
    public_address_attach(cloud.tenant.actor, address, AttachRequest(Port.objects.get()))
    with pytest.raises(InstanceNotRelocatable) as refused:
        relocate(cloud, stopped)
    assert f"{address.ip} is routed to the zone {cloud.machine.row.zone_id}. Detach it" in str(refused.value)
    assert not Operation.objects.filter(kind="instance.relocate").exists()


def test_public_address_attached_meanwhile_is_found_under_the_locks(
    cloud: Cloud, stopped: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = public_address(cloud, cloud.machine.row.zone_id)
    public_address_attach(cloud.tenant.actor, address, AttachRequest(Port.objects.get()))
    monkeypatch.setattr(relocation, "relocation_obstacles", lambda instance, zone: [])
    with pytest.raises(InstanceNotRelocatable, match="Detach it"):
        relocate(cloud, stopped)
    assert not Operation.objects.filter(kind="instance.relocate").exists()
    assert not Migration.objects.exists()


def test_announcers_of_both_zones_learn_of_the_arrival(
    cloud: Cloud, stopped: Instance, other: FakeMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(instance_migrate, "request_announcements", asked.append)
    ended(relocate(cloud, stopped))
    assert set(asked) == {cloud.machine.row.zone_id, THERE}


def test_relocating_instance_gets_no_public_address(cloud: Cloud, stopped: Instance) -> None:
    address = public_address(cloud, cloud.machine.row.zone_id)
    relocate(cloud, stopped)
    with pytest.raises(Busy, match="instance.relocate"):
        public_address_attach(cloud.tenant.actor, address, AttachRequest(Port.objects.get()))


def test_address_in_a_routed_range_keeps_the_instance_in_its_zone(cloud: Cloud, stopped: Instance) -> None:
    subnet, port = Subnet.objects.get(), Port.objects.get()
    pool = make_address_pool("2001:db8::/56", zone=cloud.machine.row.zone_id)
    Subnet.objects.filter(pk=subnet.pk).update(ipv6_pool=pool, ipv6_cidr="2001:db8::/64")
    PortAddress.objects.create(port=port, subnet=subnet, network=port.network, ip="2001:db8::5")
    with pytest.raises(InstanceNotRelocatable, match="2001:db8::5 is of a subnet"):
        relocate(cloud, stopped)


def test_zone_that_does_not_carry_its_packets_is_refused(cloud: Cloud, stopped: Instance, other: FakeMachine) -> None:
    call_command("set_underlay", cloud.machine.row.name, "--mtu", "8950")
    Network.objects.update(mtu=8950)
    with pytest.raises(NoPlace, match="MTU"):
        relocate(cloud, stopped)
    call_command("set_underlay", other.row.name, "--mtu", "8950")
    ended(relocate(cloud, stopped))


def test_policy_that_refuses_the_zone_refuses_the_relocation(
    cloud: Cloud, stopped: Instance, other: FakeMachine
) -> None:
    restrict(cloud, cloud.machine.row.zone_id)
    with pytest.raises(PolicyUnsatisfiable, match=THERE):
        relocate(cloud, stopped)
    assert not Migration.objects.exists()
    (plan,) = relocation_plan(stopped).zones
    assert (plan.zone.pk, plan.is_admitted) == (THERE, False)
    assert [reason["code"] for reason in plan.reasons] == ["policy_unsatisfiable"]


def test_instance_leaves_a_zone_that_its_policy_no_longer_admits(
    cloud: Cloud, stopped: Instance, other: FakeMachine
) -> None:
    restrict(cloud, THERE)
    operation = ended(relocate(cloud, stopped))
    assert_is_off_at(cloud, stopped, other)
    assert {row.op for row in Permit.objects.filter(operation_id=operation.pk)} == {
        "instance.migrate",
        "instance.migrate-out",
    }


def test_policy_that_changes_meanwhile_stops_the_relocation(
    cloud: Cloud, stopped: Instance, other: FakeMachine
) -> None:
    def tighten(_: Operation) -> None:
        restrict(cloud, cloud.machine.row.zone_id)

    operation = run_on(relocate(cloud, stopped), altered(WORKFLOWS["instance.relocate"], "images", then(tighten)))
    assert ended(operation, "failed").error["code"] == "policy_unsatisfiable"
    assert_is_off_at(cloud, stopped, cloud.machine)


# ---- plan


def test_plan_has_the_other_zones_and_what_is_copied(cloud: Cloud, stopped: Instance, other: FakeMachine) -> None:
    cloud.world.add_machine(cloud.machine.row.zone_id)
    make_zone("us-va-1")
    before = Decision.objects.count()
    plan = relocation_plan(stopped)
    assert (plan.zone, plan.copied_gib, plan.egress_networks) == (cloud.machine.row.zone_id, 1 + 2, [])
    admitted = {each.zone.pk: each.is_admitted for each in plan.zones}
    assert admitted == {THERE: True, "us-va-1": False}
    assert Decision.objects.count() == before
    zone = cloud.machine.row.zone
    EgressAddress.objects.create(network=Network.objects.get(), zone=zone, address=public_address(cloud, zone.pk))
    assert relocation_plan(stopped).egress_networks == [Network.objects.get().name]
