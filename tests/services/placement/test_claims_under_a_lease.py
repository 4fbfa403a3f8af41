"""Changes of allocations need the operation's lease, at the last attempt as well as at the first."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from django.db import connection
from pytest_django import Settings

from controlplane.kernel.ids import new_id
from controlplane.operations import lease_guard
from controlplane.operations.errors import LeaseLost
from controlplane.operations.models import Operation
from controlplane.placement import services as placement
from controlplane.placement.decisions import PlacementRequest
from controlplane.placement.models import Allocation, Decision
from tests.services.operations.test_lease_guard import leased
from tests.world import Tenant, make_node, make_tenant

pytestmark = pytest.mark.django_db

Change = Callable[[PlacementRequest], object]


def bring(ask: PlacementRequest) -> None:
    """To a node of this name."""
    placement.move_allocation(ask, make_node("other").pk)


def split(ask: PlacementRequest) -> None:
    placement.split_allocation(ask.holder, replace(ask, consumer_id=new_id(), vcpus=0, memory_mib=0, disk_gib=1))


CHANGES = [bring, split, placement.renew_decision]


def placed(tenant: Tenant) -> PlacementRequest:
    make_node("one")
    ask = PlacementRequest("instance.create", tenant.project, new_id(), "instance", vcpus=1, memory_mib=128, disk_gib=2)
    placement.claim(ask)
    return ask


def rows() -> list[object]:
    fields = ("consumer_id", "node__name", "decision_id", "disk_gib")
    return [*Allocation.objects.order_by("pk").values_list(*fields), Decision.objects.count()]


@pytest.mark.parametrize("change", CHANGES)
def test_worker_that_lost_its_lease_changes_no_allocation(change: Change) -> None:
    ask = placed(make_tenant())
    before, operation = rows(), leased()

    def steal(execute: Callable[..., object], sql: str, *rest: object) -> object:
        """Another worker takes the operation before this one writes."""
        if not stolen and sql.startswith(("SAVEPOINT", 'INSERT INTO "placement')):
            stolen.append(sql)
            Operation.objects.filter(pk=operation.pk).update(lease_token=new_id())
        return execute(sql, *rest)

    stolen: list[str] = []
    with lease_guard.working_on(operation), connection.execute_wrapper(steal), pytest.raises(LeaseLost):
        change(ask)
    assert stolen and rows() == before


@pytest.mark.parametrize("change", CHANGES)
def test_lease_holder_changes_the_allocation_at_the_last_attempt(change: Change, settings: Settings) -> None:
    settings.PLACEMENT_CLAIM_ATTEMPTS = 1
    ask = placed(make_tenant())
    before = rows()
    with lease_guard.working_on(leased()):
        change(ask)
    assert rows()[-1] == before[-1] + 1, "one decision more, on which the place rests"
    assert rows()[0] != before[0]
