"""What is somewhere where it may not be any more: flagged, told, planned for; nothing is stopped."""

from datetime import timedelta

import pytest

from controlplane.audit.models import AuditRecord, EvidenceRecord
from controlplane.catalog import selectors as catalog
from controlplane.compliance import what_if
from controlplane.compliance.errors import WhatIfInvalid
from controlplane.compliance.models import Compliance, RemediationPlan, Sweep
from controlplane.compliance.plans import plan_approve, plans_update
from controlplane.compliance.sweep import sweep_if_due
from controlplane.kernel import clock
from controlplane.kernel.errors import StateConflict
from controlplane.kernel.ids import new_id
from controlplane.placement import services as placement
from controlplane.placement.decisions import Ask
from controlplane.placement.errors import InsufficientCapacity, PolicyUnsatisfiable
from controlplane.placement.models import Allocation
from controlplane.placement.policies import policy_set
from controlplane.reconcilers import drift
from tests import facts
from tests.world import Tenant, make_node, make_tenant

pytestmark = pytest.mark.django_db

HELD = {"id": "snc", "op": "holds", "scheme": "SecNumCloud", "scope": "iaas", "waivable": True}


def certificate(*, days: float, number: str = "SNC-1", status: str = "valid") -> dict[str, object]:
    """One that ends so many days from now."""
    now = clock.now()
    return {
        "scheme": "SecNumCloud",
        "version": "3.2",
        "number": number,
        "issuer": "Somebody",
        "scope": ["iaas"],
        "valid_from": (now - timedelta(days=900)).isoformat(),
        "valid_to": (now + timedelta(days=days)).isoformat(),
        "status": status,
        "status_since": (now - timedelta(days=900)).isoformat(),
    }


def certify(zone: str, **more: object) -> None:
    facts.state_of("zone", zone, {"certifications": [certificate(**more)]}, assertion="certificate")  # type: ignore[arg-type]


@pytest.fixture
def tenant() -> Tenant:
    tenant = make_tenant()
    make_node("one", zone="fr-idf-1")
    make_node("two", zone="fr-idf-2")
    return tenant


def ask(tenant: Tenant, **more: object) -> Ask:
    fields = {"vcpus": 1, "memory_mib": 128, "disk_gib": 1, "zones": ("fr-idf-1",), **more}
    return Ask("instance.create", tenant.project, new_id(), "instance", **fields)  # type: ignore[arg-type]


@pytest.fixture
def placed(tenant: Tenant) -> Allocation:
    """Something whose policy wants a certificate that its zone holds for long."""
    certify("fr-idf-1", days=1000)
    policy_set(tenant.actor, atoms=[HELD], project=tenant.project)
    return placement.claim(ask(tenant))


def state_of(allocation: Allocation) -> Compliance:
    return Compliance.objects.get(pk=allocation.consumer_id)


def test_what_may_be_where_it_is_is_compliant(placed: Allocation) -> None:
    drift.reconcile()
    assert state_of(placed).state == "compliant"
    assert not EvidenceRecord.objects.filter(kind="drift").exists(), "nothing is told where nothing happened"


def test_a_sweep_is_due_only_when_something_may_have_changed(placed: Allocation, tenant: Tenant) -> None:
    assert sweep_if_due() is not None
    assert sweep_if_due() is None
    certify("fr-idf-2", days=10)
    assert sweep_if_due() is not None, "the facts' epoch has moved"
    placement.claim(ask(tenant))
    assert sweep_if_due() is not None, "something new has a place"
    Sweep.objects.update(due_at=clock.now())
    assert sweep_if_due() is not None, "time has come"


@pytest.mark.parametrize(("days", "warned"), [(181, None), (179, 180), (89, 90), (29, 30), (6, 7)])
def test_the_end_of_a_certificate_is_warned_of(placed: Allocation, days: int, warned: int | None) -> None:
    certify("fr-idf-1", days=days)
    drift.reconcile()
    row = state_of(placed)
    assert (row.state, row.warned_days) == ("compliant" if warned is None else "at-risk", warned)
    if warned is not None:
        assert row.fails_at is not None
        assert [clause["code"] for clause in row.failing] == ["CERT_EXPIRED"]
        assert AuditRecord.objects.filter(verb="drift", resource_id=placed.consumer_id).exists()


def test_each_warning_is_given_once(placed: Allocation) -> None:
    certify("fr-idf-1", days=100)
    drift.reconcile()
    Sweep.objects.update(due_at=clock.now())
    drift.reconcile()
    assert AuditRecord.objects.filter(verb="drift").count() == 1


def test_a_suspended_certificate_flags_what_rests_on_it_and_stops_nothing(placed: Allocation, tenant: Tenant) -> None:
    certify("fr-idf-2", days=1000)
    drift.reconcile()
    certify("fr-idf-1", days=1000, status="suspended")
    drift.reconcile()
    row = state_of(placed)
    assert (row.state, row.action) == ("drifted", "flag")
    assert [(clause["atom"], clause["code"]) for clause in row.failing] == [("snc", "CERT_SUSPENDED")]
    assert Allocation.objects.filter(pk=placed.pk).exists()
    told = EvidenceRecord.objects.get(kind="drift")
    assert told.resource_id == placed.consumer_id
    assert '"was":"compliant"' in (told.document or "")
    with pytest.raises(PolicyUnsatisfiable):
        placement.claim(ask(tenant))
    with pytest.raises((PolicyUnsatisfiable, InsufficientCapacity)):
        placement.grow(Ask("instance.resize", tenant.project, placed.consumer_id, "instance", vcpus=2, memory_mib=256))


def test_a_plan_says_where_everything_could_go(placed: Allocation, tenant: Tenant) -> None:
    certify("fr-idf-2", days=1000)
    certify("fr-idf-1", days=1000, status="withdrawn")
    drift.reconcile()
    plan = RemediationPlan.objects.get()
    assert plan.state == "proposed"
    (item,) = plan.items
    assert (item["resource_id"], item["zone"]) == (str(placed.consumer_id), "fr-idf-1")
    assert item["targets"] == [{"zone": "fr-idf-2", "nodes": 1}]
    assert plan.notify_by <= clock.now() + timedelta(hours=24)
    assert not plans_update(), "the same plan is not made twice"
    plan_approve(tenant.actor, plan)
    assert state_of(placed).state == "remediating"
    Sweep.objects.update(due_at=clock.now())
    drift.reconcile()
    assert state_of(placed).state == "remediating", "an approved plan is not forgotten by the next sweep"
    with pytest.raises(StateConflict):
        plan_approve(tenant.actor, RemediationPlan.objects.get())


def test_what_recovers_is_compliant_again_and_its_plan_is_done(placed: Allocation) -> None:
    certify("fr-idf-1", days=1000, status="suspended")
    drift.reconcile()
    certify("fr-idf-1", days=1000)
    drift.reconcile()
    assert state_of(placed).state == "compliant"
    assert RemediationPlan.objects.get().state == "done"
    assert EvidenceRecord.objects.filter(kind="drift").count() == 2, "history keeps both"


def test_what_is_gone_is_forgotten(placed: Allocation) -> None:
    drift.reconcile()
    placement.release(placed.consumer_id)
    Sweep.objects.update(due_at=clock.now())
    drift.reconcile()
    assert not Compliance.objects.exists()


def test_a_tightened_policy_flags_what_it_does_not_admit(placed: Allocation, tenant: Tenant) -> None:
    drift.reconcile()
    elsewhere = {"id": "there", "attr": "zone.id", "op": "in", "value": ["fr-idf-2"]}
    policy_set(tenant.actor, atoms=[HELD, elsewhere], project=tenant.project)
    drift.reconcile()
    row = state_of(placed)
    assert (row.state, [clause["atom"] for clause in row.failing]) == ("drifted", ["there"])


def test_what_would_break_without_a_certificate(placed: Allocation, tenant: Tenant) -> None:
    certify("fr-idf-2", days=1000, number="SNC-2")
    now, before = clock.now(), catalog.world()
    after = what_if.suppose(before, [what_if.without_certificate(before, "fr-idf-1", "SNC-1", now=now)], now=now)
    (broken,) = what_if.broken([tenant.project], before, after, now=now, then=now)
    assert broken.allocation == placed
    assert [result.code for result in broken.evaluation.results] == ["CERT_WITHDRAWN"]
    assert broken.targets == ("fr-idf-2",)
    assert what_if.lost_zones(tenant.project, before, after, now=now, then=now) == ("fr-idf-1",)
    assert what_if.broken([tenant.project], before, before, now=now, then=now) == []
    later = now + timedelta(days=1001)
    assert [each.allocation for each in what_if.broken([tenant.project], before, before, now=now, then=later)] == [
        placed
    ]


def test_what_cannot_be_supposed_is_refused(placed: Allocation) -> None:
    now, world = clock.now(), catalog.world()
    with pytest.raises(WhatIfInvalid):
        what_if.without_certificate(world, "fr-idf-1", "SNC-9", now=now)
    for change in (
        what_if.Change("zone", "mars-1", "network_class", 1),
        what_if.Change("zone", "fr-idf-1", "colour", "blue"),
        what_if.Change("zone", "fr-idf-1", "network_class", 9),
        what_if.Change("set", "@EU", "members", ["FR"]),
    ):
        with pytest.raises(WhatIfInvalid):
            what_if.suppose(world, [change], now=now)
