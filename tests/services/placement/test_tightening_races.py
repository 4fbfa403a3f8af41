"""No allocation is written under a policy or fact after a change of it is committed.

Two real transactions run in random interleavings."""

import os
import random
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from django.db import DatabaseError, connection, transaction
from django.db.models import F

from controlplane.catalog.models import FactsEpoch
from controlplane.kernel import clock
from controlplane.kernel.ids import new_id
from controlplane.nodes.models import Node
from controlplane.placement import decisions
from controlplane.placement.decisions import PlacementRequest
from controlplane.placement.models import Allocation, Decision, PolicyHead
from tests.nightly import as_nightly
from tests.world import Tenant, make_node, make_tenant

pytestmark = pytest.mark.django_db(transaction=True)

STALE = {"AN001": "STALE_POLICY", "AN002": "STALE_FACTS"}
LONGEST_PAUSE_S = 0.0015
INTERLEAVINGS = int(os.environ.get("INTERLEAVINGS", "200"))  # of each kind; 10 000 take six minutes


@pytest.fixture
def tenant() -> Tenant:
    tenant = make_tenant()
    make_node("one", vcpus_total=100_000, memory_mib_total=100_000, disk_gib_total=100_000)
    return tenant


def decision_for(tenant: Tenant, consumer_id: UUID) -> Decision:
    ask = PlacementRequest("instance.create", tenant.project, consumer_id, "instance", vcpus=1)
    return decisions.store_decision(ask, decisions.decide_placement(ask))


def commit(tenant: Tenant, decision: Decision, node_id: UUID) -> str:
    """Write an allocation that rests on the decision; "written", or the reason of the refusal."""
    pause(LONGEST_PAUSE_S)
    try:
        with transaction.atomic():
            Allocation.objects.create(
                consumer_id=decision.consumer_id,
                kind="instance",
                project=tenant.project,
                node_id=node_id,
                decision=decision,
                vcpus=1,
            )
            pause(LONGEST_PAUSE_S)
    except DatabaseError as exc:
        return STALE[getattr(exc.__cause__, "sqlstate", "")]
    return "written"


def tighten(tenant: Tenant) -> int:
    """Bump the head as every change of a policy does; how many allocations there were when it was locked."""
    pause(LONGEST_PAUSE_S)
    with transaction.atomic():
        PolicyHead.objects.filter(organization=tenant.project.organization).update(version=F("version") + 1)
        pause(LONGEST_PAUSE_S)
        return Allocation.objects.count()


def correct(tenant: Tenant) -> int:
    """The same for a fact."""
    pause(LONGEST_PAUSE_S)
    with transaction.atomic():
        FactsEpoch.objects.filter(pk=1).update(value=F("value") + 1)
        pause(LONGEST_PAUSE_S)
        return Allocation.objects.count()


def pause(longest_s: float) -> None:
    threading.Event().wait(random.uniform(0, longest_s))


def interleaved(tenant: Tenant, change: Callable[[Tenant], int], *, rounds: int) -> Counter[str]:
    """Both at the same time, so many times. Whatever was written had been there when the change had its lock."""
    node_id = Node.objects.get().pk
    outcomes: Counter[str] = Counter()
    with ThreadPoolExecutor(1) as companion:
        try:
            for _ in range(rounds):
                decision = decision_for(tenant, new_id())
                changed = companion.submit(change, tenant)
                outcome = commit(tenant, decision, node_id)
                assert Allocation.objects.count() == changed.result(), "written after the change was committed"
                outcomes[outcome] += 1
                Allocation.objects.all().delete()
        finally:
            companion.submit(lambda: connection.close()).result()
    return outcomes


@pytest.mark.parametrize("rounds", [INTERLEAVINGS, as_nightly(500)])
@pytest.mark.parametrize(("change", "reason"), [(tighten, "STALE_POLICY"), (correct, "STALE_FACTS")])
def test_no_allocation_is_written_under_a_superseded_version(
    tenant: Tenant, change: Callable[[Tenant], int], reason: str, rounds: int
) -> None:
    outcomes = interleaved(tenant, change, rounds=rounds)
    assert set(outcomes) == {"written", reason}, "both orders happened, and nothing else"


def test_decision_of_another_project_admits_no_allocation(tenant: Tenant) -> None:
    node, other = Node.objects.get(), make_tenant("beta")
    decision = decision_for(tenant, new_id())
    refused = decision_for(tenant, new_id())
    Decision.objects.filter(pk=refused.pk).update(is_admitted=False)
    Decision.objects.filter(pk=decision.pk).update(admitted_zones=["us-va-1"])
    lapsed = decision_for(tenant, new_id())
    Decision.objects.filter(pk=lapsed.pk).update(valid_until=clock.now())
    stranger = decision_for(tenant, new_id())
    for row, project, consumer in (
        (decision, tenant.project, decision.consumer_id),
        (refused, tenant.project, refused.consumer_id),
        (lapsed, tenant.project, lapsed.consumer_id),
        (stranger, other.project, stranger.consumer_id),
        (stranger, tenant.project, new_id()),
    ):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO placement_allocation (id, created_at, updated_at, consumer_id, kind, project_id, node_id,"
                " decision_id, vcpus, memory_mib, disk_gib)"
                " VALUES (%s, now(), now(), %s, 'instance', %s, %s, %s, 1, 0, 0)",
                [new_id(), consumer, project.pk, node.pk, row.pk],
            )
    assert not Allocation.objects.exists()
