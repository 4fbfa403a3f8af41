"""The fleet cache of a process equals the database after any changes in any order."""

import random
from collections.abc import Callable
from threading import Event, Thread

import pytest
from django.db import connection, transaction

from andromede_core.placement.fleet import Fleet
from controlplane.identity.actor import SYSTEM
from controlplane.kernel import clock
from controlplane.kernel.ids import new_id
from controlplane.nodes.models import Inventory, Node
from controlplane.nodes.services import NodeReport, node_cordon, record_heartbeat
from controlplane.placement import services as placement
from controlplane.placement.fleet_cache import FleetCache
from controlplane.placement.services import PlacementRequest
from tests.services.threads import at_once
from tests.world import Tenant, make_node, make_tenant, make_zone

pytestmark = pytest.mark.django_db(transaction=True)


def cache_content(fleet: Fleet) -> dict[str, tuple[object, ...]]:
    """Return the content of the fleet per node, independent of its columns."""
    return {
        node: (
            fleet.names[at],
            fleet.dictionary.zones[fleet.zone_index[at]],
            fleet.capacity[:, at].tolist(),
            fleet.free[:, at].tolist(),
            bool(fleet.is_ready[at]),
            bool(fleet.is_cordoned[at]),
            bool(fleet.is_attested[at]),
            fleet.dictionary.clearances[fleet.clearance_index[at]],
            {name for name, has in zip(fleet.dictionary.traits, fleet.traits[:, at], strict=True) if has},
        )
        for at, node in enumerate(fleet.ids)
    }


def anew() -> dict[str, tuple[object, ...]]:
    return cache_content(FleetCache().current())


def claim(tenant: Tenant) -> None:
    placement.claim(PlacementRequest("instance.create", tenant.project, new_id(), "instance", vcpus=1, memory_mib=128))


CHANGES: dict[str, Callable[[Node], object]] = {
    "claimed": lambda node: claim(make_tenant()),
    "larger": lambda node: Inventory.objects.filter(pk=node.pk).update(vcpus_total=99),
    "oversold": lambda node: Inventory.objects.filter(pk=node.pk).update(memory_mib_ratio=2),
    "cordoned": lambda node: node_cordon(SYSTEM, node, reason="repair"),
    "silent": lambda node: Node.objects.filter(pk=node.pk).update(state="unreachable"),
    "traits": lambda node: Node.objects.filter(pk=node.pk).update(traits=["tpm", "new"]),
    "unattested": lambda node: Node.objects.filter(pk=node.pk).update(is_attested=False),
    "cleared for less": lambda node: Node.objects.filter(pk=node.pk).update(cleared_for=["eu-resident", "public"]),
    "renamed": lambda node: Node.objects.filter(pk=node.pk).update(name="other"),
    "moved": lambda node: Node.objects.filter(pk=node.pk).update(zone=make_zone("xx-new-1")),
    "added": lambda node: make_node("three", zone="yy-new-1"),
    "removed": lambda node: Inventory.objects.filter(pk=node.pk).delete(),
    "replaced": lambda node: (node.delete(), make_node("one")),
}


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_updates_the_cache(change: str) -> None:
    node = make_node("one")
    make_node("two", zone="de-rhein-1")
    cache = FleetCache()
    before = cache.current()
    was = cache_content(before)
    assert was == anew()
    CHANGES[change](node)
    now = cache_content(cache.current())
    assert now == anew() != was
    assert cache_content(before) == was, "who still reads the older fleet sees no change"
    assert cache.current() is cache.current(), "nothing changed, nothing is copied"


def test_unchanged_heartbeat_keeps_the_cache() -> None:
    node = make_node("one")
    report = NodeReport(
        boot_id="boot",
        agent_version="1.0",
        cpu_model="cpu",
        virt_type="kvm",
        traits=("tpm",),
        cores=8,
        memory_mib=8192,
        disk_gib=100,
        hook_sha256="",
        hook_problem="",
        has_passed_self_test=True,
        self_test_problem="",
    )
    record_heartbeat(node, report)
    cache = FleetCache()
    known = cache.current()
    for _ in range(3):
        record_heartbeat(node, report)
    Node.objects.filter(pk=node.pk).update(agent_version="2.0", last_heartbeat_at=clock.now())
    assert cache.current() is known


def test_rows_with_future_transaction_ids_are_not_reread() -> None:
    node, other = make_node("one"), make_node("two")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE nodes_inventory SET changed_xid = '9000000000000000000'")
    cache = FleetCache()
    known = cache.current()
    node_cordon(SYSTEM, other, reason="repair")
    assert cache_content(cache.current()) == anew() != cache_content(known)
    assert cache.current() is cache.current()
    with transaction.atomic():
        node_cordon(SYSTEM, node, reason="repair")
        assert cache.current().is_cordoned.all()


def test_uncommitted_changes_are_visible_in_their_transaction_only() -> None:
    node = make_node("one")
    cache = FleetCache()
    was = cache_content(cache.current())
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        Node.objects.filter(pk=node.pk).update(admin_state="cordoned")
        make_node("two")
        inside = cache_content(cache.current())
        assert len(inside) == 2 and inside == anew()
        (elsewhere,) = at_once([lambda: cache_content(cache.current())])
        assert elsewhere == was
        Inventory.objects.all().delete()
        assert cache_content(cache.current()) == {}
        _ = 1 / 0
    assert cache_content(cache.current()) == was == anew()
    with transaction.atomic():
        Node.objects.filter(pk=node.pk).update(admin_state="cordoned")
        cache.current()
    assert cache_content(cache.current()) == anew() != was


def test_change_committed_after_later_ones_is_not_missed() -> None:
    slow, quick = make_node("slow"), make_node("quick")
    cache = FleetCache()
    cache.current()
    written, may_commit = Event(), Event()

    def change_slowly() -> None:
        try:
            with transaction.atomic():
                Node.objects.filter(pk=slow.pk).update(admin_state="cordoned")
                written.set()
                assert may_commit.wait(60)
        finally:
            connection.close()

    thread = Thread(target=change_slowly)
    thread.start()
    assert written.wait(60)
    for is_cordoned in (True, False, True):
        Node.objects.filter(pk=quick.pk).update(admin_state="cordoned" if is_cordoned else "in-service")
        fleet = cache.current()
        assert fleet.is_cordoned[fleet.positions[str(quick.pk)]] == is_cordoned
        assert not fleet.is_cordoned[fleet.positions[str(slow.pk)]]
    may_commit.set()
    thread.join()
    assert cache_content(cache.current()) == anew()
    assert cache.current().is_cordoned.all()


def test_concurrent_changes_and_reads_keep_the_cache_correct() -> None:
    nodes = [make_node(f"node-{number}") for number in range(6)]
    cache = FleetCache()

    def change(seed: int) -> Callable[[], None]:
        chance = random.Random(seed)

        def run() -> None:
            for number in range(25):
                node = chance.choice(nodes)
                with transaction.atomic():
                    Inventory.objects.filter(pk=node.pk).update(vcpus_total=chance.randrange(1, 100))
                    if number % 5 == 0:
                        Node.objects.filter(pk=node.pk).update(admin_state=chance.choice(("cordoned", "in-service")))
                cache.current()

        return run

    outcomes = at_once([change(seed) for seed in range(6)])
    assert outcomes == [None] * 6
    assert cache_content(cache.current()) == anew()
