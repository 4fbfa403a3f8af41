"""Concurrent claims of capacity, quota and addresses on committed rows give exactly what there is."""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress

import pytest
from django.db import transaction

from controlplane.identity.actor import SYSTEM
from controlplane.identity.models import Project
from controlplane.kernel.ids import new_id
from controlplane.network.errors import AddressesExhausted, NetworkInUse, NetworkNotFound
from controlplane.network.models import Network, Port
from controlplane.network.ports import instance_port_create as port_create
from controlplane.network.services import network_create, network_delete
from controlplane.nodes.models import Inventory
from controlplane.nodes.services import node_cordon
from controlplane.placement import services as placement
from controlplane.placement.decisions import GroupRule, PlacementRequest
from controlplane.placement.errors import FleetChanged, InsufficientCapacity, NoPlace
from controlplane.placement.models import Allocation
from controlplane.quotas import services as quotas
from controlplane.quotas.errors import QuotaExceeded
from controlplane.quotas.models import Quota, QuotaUse
from controlplane.reconcilers import capacity_drift
from tests.services.threads import at_once, split
from tests.world import Tenant, make_node, make_tenant

pytestmark = pytest.mark.django_db(transaction=True)

THREADS = 12


@pytest.fixture
def tenant() -> Tenant:
    return make_tenant()


def claiming(tenant: Tenant, **more: object) -> Callable[[], Allocation]:
    fields = {"vcpus": 1, "memory_mib": 128, "disk_gib": 1, **more}
    ask = PlacementRequest("instance.create", tenant.project, new_id(), "instance", **fields)
    return lambda: placement.claim(ask)


def assert_not_oversold() -> None:
    for inventory in Inventory.objects.all():
        assert inventory.vcpus_used <= inventory.vcpus_capacity
    assert capacity_drift.reconcile() == []


@pytest.mark.parametrize("nodes", [{"one": 8}, {"one": 3, "two": 3, "three": 2}])
def test_twelve_concurrent_claims_get_eight_allocations(tenant: Tenant, nodes: dict[str, int]) -> None:
    for name, vcpus in nodes.items():
        make_node(name, vcpus_total=vcpus)
    won, lost = split(at_once([claiming(tenant) for _ in range(THREADS)]))
    assert len(won) == 8
    assert Counter(type(exc) for exc in lost) == {InsufficientCapacity: 4}
    assert Allocation.objects.count() == 8
    assert_not_oversold()


def test_concurrent_claims_of_one_consumer_give_one_allocation(tenant: Tenant) -> None:
    make_node("one"), make_node("two")
    won, lost = split(at_once([claiming(tenant)] * 8))
    assert lost == []
    assert len({allocation.pk for allocation in won}) == Allocation.objects.count() == 1
    assert_not_oversold()


def test_concurrent_claims_and_releases_keep_the_counters(tenant: Tenant) -> None:
    make_node("one", vcpus_total=4), make_node("two", vcpus_total=4)

    def come_and_go() -> int:
        for _ in range(5):
            ask = PlacementRequest("instance.create", tenant.project, new_id(), "instance", vcpus=1)
            placement.claim(ask)
            placement.release_allocation(ask.consumer_id)
        return 5

    won, lost = split(at_once([come_and_go] * 6))
    assert (won, lost) == ([5] * 6, [])
    assert not Allocation.objects.exists()
    assert_not_oversold()


def test_strict_anti_affinity_holds_for_concurrent_members(tenant: Tenant) -> None:
    for number in range(5):
        make_node(f"node-{number}")
    group = GroupRule(new_id(), "anti-affinity", is_strict=True)
    won, lost = split(at_once([claiming(tenant, group=group) for _ in range(8)]))
    assert len(won) == 5
    assert len({allocation.node_id for allocation in won}) == 5
    assert Counter(type(exc) for exc in lost) == {NoPlace: 3}
    assert_not_oversold()


def test_strict_affinity_holds_for_concurrent_members(tenant: Tenant) -> None:
    for number in range(3):
        make_node(f"node-{number}", vcpus_total=4)
    group = GroupRule(new_id(), "affinity", is_strict=True)
    won, lost = split(at_once([claiming(tenant, group=group) for _ in range(6)]))
    assert len({allocation.node_id for allocation in won}) == 1
    assert len(won) == 4
    assert Counter(type(exc) for exc in lost) == {InsufficientCapacity: 2}


def test_no_claim_succeeds_after_a_committed_cordon(tenant: Tenant) -> None:
    nodes = [make_node(f"node-{number}", vcpus_total=100) for number in range(2)]

    def cordon() -> int:
        node_cordon(SYSTEM, nodes[0], reason="repair")
        return Allocation.objects.filter(node=nodes[0]).count()

    def claim_several() -> int:
        return sum(claiming(tenant)() is not None for _ in range(8))

    *claimed, before_cordon = at_once([*(claim_several for _ in range(5)), cordon])
    assert claimed == [8] * 5
    assert Allocation.objects.filter(node=nodes[0]).count() == before_cordon
    assert Allocation.objects.count() == 40
    assert_not_oversold()


def test_concurrent_growth_takes_the_last_capacity_once(tenant: Tenant) -> None:
    make_node("one", vcpus_total=6)
    asks = [PlacementRequest("instance.create", tenant.project, new_id(), "instance", vcpus=1) for _ in range(4)]
    for ask in asks:
        placement.claim(ask)

    def growing(ask: PlacementRequest) -> Callable[[], None]:
        larger = PlacementRequest("instance.resize", tenant.project, ask.consumer_id, "instance", vcpus=2)

        def grow() -> None:
            while True:
                with suppress(FleetChanged):  # the engine would come again
                    return placement.grow(larger)

        return grow

    won, lost = split(at_once([growing(ask) for ask in asks]))
    assert (len(won), Counter(type(exc) for exc in lost)) == (2, {InsufficientCapacity: 2})
    assert Inventory.objects.get().vcpus_used == 6
    assert_not_oversold()


def test_concurrent_claims_take_the_last_quota_unit_once(tenant: Tenant) -> None:
    Quota.objects.create(project=tenant.project, dimension="vcpus", limit=7)

    def claim(project: Project = tenant.project) -> None:
        quotas.claim(project.pk, new_id(), instances=1, vcpus=2)

    won, lost = split(at_once([claim] * 10))
    assert (len(won), Counter(type(exc) for exc in lost)) == (3, {QuotaExceeded: 7})
    assert QuotaUse.objects.filter(dimension="instances").count() == 3, "nothing is left of those that lost"


def make_network(tenant: Tenant, cidr: str) -> Network:
    return network_create(tenant.actor, tenant.project, name="lan", cidr=cidr, dns_servers=[], labels={})


def plugging(network: Network) -> Callable[[], Port]:
    def plug() -> Port:
        with transaction.atomic():
            return port_create(network, port_id=new_id(), instance_id=new_id())

    return plug


def test_concurrent_ports_get_distinct_addresses(tenant: Tenant) -> None:
    network = make_network(tenant, "10.0.0.0/28")
    won, lost = split(at_once([plugging(network)] * 14))
    assert len({port.ip for port in won}) == len({port.mac for port in won}) == len(won) == 13
    assert [type(exc) for exc in lost] == [AddressesExhausted]


def test_concurrent_port_creation_and_network_deletion_exclude_each_other(tenant: Tenant) -> None:
    for _ in range(5):
        network = make_network(tenant, "10.0.0.0/28")
        same = Network.objects.get(pk=network.pk)  # a deleted object loses its id, also for who shares it
        outcomes = at_once([plugging(network), lambda same=same: network_delete(SYSTEM, same)])
        plugged, deleted = outcomes
        if isinstance(plugged, Port):
            assert isinstance(deleted, NetworkInUse)
            plugged.delete()
            network_delete(tenant.actor, network)
        else:
            assert isinstance(plugged, NetworkNotFound)
            assert deleted is None
        assert not Port.objects.exists()
        assert not QuotaUse.objects.exists()
