"""Cache of policies and facts equals a fresh evaluation, after any change."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction

from andromede_core.facts.attributes import SET_MEMBERS
from andromede_core.policy.assessment import Assessment, assess
from controlplane.catalog import selectors as catalog
from controlplane.catalog.models import Zone
from controlplane.kernel import clock
from controlplane.kernel.ids import new_id
from controlplane.placement import decisions, effective_policies
from controlplane.placement.decisions import PlacementRequest
from controlplane.placement.effective_policies import PolicySubject
from controlplane.placement.lineage import NewData, record_data
from controlplane.placement.models import Binding, Classification, PolicyVersion
from controlplane.placement.policies import own_policy
from tests.facts import state, state_of, statement
from tests.services.policies import EU, classify, in_zones, ruled
from tests.world import Tenant, make_node, make_tenant

pytestmark = pytest.mark.django_db(transaction=True)

HOME, RHINE = "fr-idf-1", "de-rhein-1"
IN_EU = EU[0]


@pytest.fixture
def tenant() -> Tenant:
    """Three zones with a node each, and a project that demands a place in the EU."""
    for zone in (HOME, RHINE, "us-va-1"):
        make_node(f"node-{zone}", zone=zone)
    here = {HOME: "FR", RHINE: "DE", "us-va-1": "US"}
    state(
        [
            statement("set", "@EU", SET_MEMBERS, ["DE", "FR"]),
            *(statement("zone", zone, "location.territory", territory) for zone, territory in here.items()),
        ]
    )
    tenant = make_tenant()
    ruled(tenant.project, IN_EU)
    return tenant


def placement_request(tenant: Tenant, **more: Any) -> PlacementRequest:
    fields = {"vcpus": 1, "memory_mib": 128, "disk_gib": 1, **more}
    return PlacementRequest(
        "instance.create", tenant.project, fields.pop("consumer_id", new_id()), "instance", **fields
    )


def remembered(ask: PlacementRequest) -> Assessment:
    return decisions.decide_placement(ask).decision.assessment


def anew(ask: PlacementRequest) -> Assessment:
    result = decisions.decide_placement(ask)
    demand = effective_policies.for_subject(
        PolicySubject(ask.project, ask.consumer_id, ask.classifications, ask.own, ask.sources)
    )
    return assess(
        demand.policies, catalog.world(), now=result.decision.assessment.at, roles=result.decision.request.roles
    )


CHANGES: dict[str, Callable[[Tenant, PlacementRequest], object]] = {
    "a fact": lambda tenant, ask: state_of("zone", HOME, {"location.territory": "US"}),
    "a policy": lambda tenant, ask: ruled(tenant.project, IN_EU, *in_zones(RHINE)),
    "a policy above": lambda tenant, ask: ruled(tenant.project, *in_zones(RHINE), at="organization"),
    "a closed zone": lambda tenant, ask: Zone.objects.filter(pk=HOME).update(status="closed"),
    "a new zone": lambda tenant, ask: make_node("another", zone="fr-new-1"),
    "its classification": lambda tenant, ask: Binding.objects.create(
        resource_id=ask.consumer_id,
        kind="instance",
        project=tenant.project,
        classifications=[classify("home", in_zones(HOME), tenant.project).pk],
    ),
    "its own clauses": lambda tenant, ask: record_data(
        NewData(ask.consumer_id, "instance", tenant.project, policy=own_policy(in_zones(RHINE), at="policy"))
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_affects_the_next_decision(tenant: Tenant, change: str) -> None:
    ask = placement_request(tenant)
    before = remembered(ask)
    assert remembered(ask) is before, "nothing changed, nothing is worked out again"
    assert remembered(placement_request(tenant)) is before, "another resource of which nothing special is recorded"
    CHANGES[change](tenant, ask)
    now = remembered(ask)
    assert now == anew(ask)
    assert now.zones != before.zones


def test_unsupported_classification_admits_nothing(tenant: Tenant) -> None:
    ask = placement_request(tenant, classifications=(classify("home", in_zones(HOME), tenant.project).pk,))
    assert decisions.decide_placement(ask).decision.admitted_zones == (HOME,)
    Classification.objects.update(is_supported=False)
    assert decisions.decide_placement(ask).decision.admitted_zones == ()


def test_expired_fact_expires_the_cached_assessment(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    soon = clock.now() + timedelta(hours=1)
    state_of("zone", HOME, {"location.territory": "FR"}, review_by=soon)
    ask = placement_request(tenant)
    decision = decisions.decide_placement(ask).decision
    assert HOME in decision.admitted_zones and decision.valid_until == soon
    monkeypatch.setattr(clock, "now", lambda: soon - timedelta(microseconds=1))
    assert remembered(ask) is decision.assessment
    monkeypatch.setattr(clock, "now", lambda: soon)
    assert decisions.decide_placement(ask).decision.admitted_zones == (RHINE,)


def test_clock_set_back_reassesses_for_the_earlier_time(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    now = clock.now()
    state_of("zone", HOME, {"location.territory": "US"}, valid_from=now - timedelta(hours=1))
    ask = placement_request(tenant)
    assert decisions.decide_placement(ask).decision.admitted_zones == (RHINE,)
    monkeypatch.setattr(clock, "now", lambda: now - timedelta(hours=2))
    assert remembered(ask).at == now - timedelta(hours=2)


def test_rolled_back_changes_are_not_cached(tenant: Tenant) -> None:
    ask = placement_request(tenant)
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        Zone.objects.filter(pk=HOME).update(status="open")  # so that this transaction has written
        PolicyVersion.objects.create(level="project", project=tenant.project, version=9, clauses=in_zones(RHINE))
        assert decisions.decide_placement(ask).decision.admitted_zones == (RHINE,)
        _ = 1 / 0
    assert decisions.decide_placement(ask).decision.admitted_zones == (RHINE, HOME)


def test_facts_changed_during_the_read_are_not_cached(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    world, calls = catalog.world, []

    def world_that_moves() -> Any:
        old = world()
        calls.append(old)
        if len(calls) == 1:
            state_of("zone", HOME, {"location.territory": "US"})
        return old

    monkeypatch.setattr(catalog, "world", world_that_moves)
    ask = placement_request(tenant)
    assert HOME in decisions.decide_placement(ask).decision.admitted_zones, "as it was when the decision began"
    assert decisions.decide_placement(ask).decision.admitted_zones == (RHINE,)
    assert len(calls) == 2
