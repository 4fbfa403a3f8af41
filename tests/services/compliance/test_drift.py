"""Compliance drift: flagged, published and planned for; nothing is stopped."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from andromede_core.documents.parsing import as_rfc3339
from controlplane.audit.models import AuditEntry, EvidenceRecord
from controlplane.audit.residency import history
from controlplane.catalog import selectors as catalog
from controlplane.catalog.models import Fact
from controlplane.compliance import impact_simulation, sweep
from controlplane.compliance.errors import WhatIfInvalid
from controlplane.compliance.models import Compliance, RemediationPlan, Sweep
from controlplane.compliance.plans import plan_approve, plans_update
from controlplane.compliance.sweep import sweep_if_due
from controlplane.kernel import clock
from controlplane.kernel.errors import StateConflict
from controlplane.kernel.ids import new_id
from controlplane.nodes import signing_keys
from controlplane.nodes.signing_keys import SigningKey
from controlplane.placement import services as placement
from controlplane.placement.decisions import PlacementRequest
from controlplane.placement.errors import InsufficientCapacity, PolicyUnsatisfiable
from controlplane.placement.exemptions import NewExemption, exemption_request
from controlplane.placement.models import Allocation, Decision, Exemption, PolicyVersion
from controlplane.placement.policies import policy_set
from controlplane.reconcilers import compliance_drift
from tests import facts
from tests.approvers import agree
from tests.world import Tenant, make_node, make_tenant

pytestmark = pytest.mark.django_db

RECORD = "controlplane.compliance.plans.record"
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


def ask(tenant: Tenant, **more: object) -> PlacementRequest:
    fields = {"vcpus": 1, "memory_mib": 128, "disk_gib": 1, "zones": ("fr-idf-1",), **more}
    return PlacementRequest("instance.create", tenant.project, new_id(), "instance", **fields)  # type: ignore[arg-type]


@pytest.fixture
def placed(tenant: Tenant) -> Allocation:
    """Return an allocation whose policy requires a certificate that its zone has."""
    certify("fr-idf-1", days=1000)
    policy_set(tenant.actor, clauses=[HELD], project=tenant.project)
    return placement.claim(ask(tenant))


def state_of(allocation: Allocation) -> Compliance:
    return Compliance.objects.get(pk=allocation.consumer_id)


def test_admitted_resource_is_compliant(placed: Allocation) -> None:
    compliance_drift.reconcile()
    assert state_of(placed).state == "compliant"
    assert not EvidenceRecord.objects.filter(kind="drift").exists(), "nothing is told where nothing happened"


def test_sweep_is_due_only_after_a_change(placed: Allocation, tenant: Tenant) -> None:
    assert sweep_if_due() is not None
    assert sweep_if_due() is None
    certify("fr-idf-2", days=10)
    assert sweep_if_due() is not None, "the facts' epoch has moved"
    placement.claim(ask(tenant))
    assert sweep_if_due() is not None, "something new has a place"
    Sweep.objects.update(due_at=clock.now())
    assert sweep_if_due() is not None, "time has come"


def test_sweep_checks_everything_in_batches(
    placed: Allocation, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However much there is, a sweep holds one part of it at a time."""
    ids = {placed.consumer_id, *(placement.claim(ask(tenant)).consumer_id for _ in range(4))}
    monkeypatch.setattr(sweep, "BATCH", 2)
    insert = f'INSERT INTO "{Compliance._meta.db_table}"'

    def batches() -> int:
        with CaptureQueriesContext(connection) as queries:
            compliance_drift.reconcile()
        return len([query for query in queries if (query["sql"] or "").startswith(insert)])

    assert batches() == 3, "two resources, two, and one"
    certify("fr-idf-1", days=1000, status="suspended")
    assert batches() == 3
    assert set(Compliance.objects.filter(state="drifted").values_list("pk", flat=True)) == ids
    assert EvidenceRecord.objects.filter(kind="drift").count() == 5


@pytest.mark.parametrize(("days", "warned"), [(181, None), (179, 180), (89, 90), (29, 30), (6, 7)])
def test_expiry_of_a_certificate_is_announced(placed: Allocation, days: int, warned: int | None) -> None:
    certify("fr-idf-1", days=days)
    compliance_drift.reconcile()
    row = state_of(placed)
    assert (row.state, row.warned_days) == ("compliant" if warned is None else "at-risk", warned)
    if warned is not None:
        assert row.fails_at is not None
        assert [clause["code"] for clause in row.failing] == ["CERT_EXPIRED"]
        assert AuditEntry.objects.filter(verb="drift", resource_id=placed.consumer_id).exists()


def test_each_warning_is_published_once(placed: Allocation) -> None:
    certify("fr-idf-1", days=100)
    compliance_drift.reconcile()
    Sweep.objects.update(due_at=clock.now())
    compliance_drift.reconcile()
    assert AuditEntry.objects.filter(verb="drift").count() == 1


def test_suspended_certificate_flags_resources_and_stops_nothing(placed: Allocation, tenant: Tenant) -> None:
    certify("fr-idf-2", days=1000)
    compliance_drift.reconcile()
    certify("fr-idf-1", days=1000, status="suspended")
    compliance_drift.reconcile()
    row = state_of(placed)
    assert (row.state, row.action) == ("drifted", "flag")
    assert [(clause["atom"], clause["code"]) for clause in row.failing] == [("snc", "CERT_SUSPENDED")]
    assert Allocation.objects.filter(pk=placed.pk).exists()
    record = EvidenceRecord.objects.get(kind="drift")
    assert record.resource_id == placed.consumer_id
    assert '"was":"compliant"' in (record.document or "")
    with pytest.raises(PolicyUnsatisfiable):
        placement.claim(ask(tenant))
    with pytest.raises((PolicyUnsatisfiable, InsufficientCapacity)):
        placement.grow(
            PlacementRequest("instance.resize", tenant.project, placed.consumer_id, "instance", vcpus=2, memory_mib=256)
        )


def test_remediation_plan_names_target_zones(placed: Allocation, tenant: Tenant) -> None:
    certify("fr-idf-2", days=1000)
    certify("fr-idf-1", days=1000, status="withdrawn")
    compliance_drift.reconcile()
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
    compliance_drift.reconcile()
    assert state_of(placed).state == "remediating", "an approved plan is not forgotten by the next sweep"
    with pytest.raises(StateConflict):
        plan_approve(tenant.actor, RemediationPlan.objects.get())


@pytest.mark.parametrize("seam", ["controlplane.reconcilers.compliance_drift.plans_update_if_due", RECORD])
def test_plans_are_updated_after_a_crash_behind_the_sweep(
    placed: Allocation, monkeypatch: pytest.MonkeyPatch, seam: str
) -> None:
    compliance_drift.reconcile()
    certify("fr-idf-1", days=1000, status="withdrawn")

    def crash(*_: object, **__: object) -> None:
        raise SystemExit

    with monkeypatch.context() as crashing, pytest.raises(SystemExit):
        crashing.setattr(seam, crash)
        compliance_drift.reconcile()
    assert state_of(placed).state == "drifted" and not RemediationPlan.objects.exists()
    assert compliance_drift.reconcile() == 0, "no sweep is due"
    assert RemediationPlan.objects.get().state == "proposed"


def test_plans_are_updated_once_for_each_sweep(placed: Allocation, monkeypatch: pytest.MonkeyPatch) -> None:
    updates: list[int] = []
    monkeypatch.setattr("controlplane.compliance.plans.plans_update", lambda: updates.append(1) or 0)
    for _ in range(2):
        Sweep.objects.update(due_at=clock.now())
        for _ in range(3):
            compliance_drift.reconcile()
    assert len(updates) == 2


def test_restored_certificate_ends_the_drift_and_the_plan(placed: Allocation) -> None:
    certify("fr-idf-1", days=1000, status="suspended")
    compliance_drift.reconcile()
    certify("fr-idf-1", days=1000)
    compliance_drift.reconcile()
    assert state_of(placed).state == "compliant"
    assert RemediationPlan.objects.get().state == "done"
    assert EvidenceRecord.objects.filter(kind="drift").count() == 2, "history keeps both"


def test_released_resource_is_forgotten(placed: Allocation) -> None:
    compliance_drift.reconcile()
    placement.release_allocation(placed.consumer_id)
    Sweep.objects.update(due_at=clock.now())
    compliance_drift.reconcile()
    assert not Compliance.objects.exists()


def test_tightened_policy_flags_resources(placed: Allocation, tenant: Tenant) -> None:
    compliance_drift.reconcile()
    elsewhere = {"id": "there", "attr": "zone.id", "op": "in", "value": ["fr-idf-2"]}
    policy_set(tenant.actor, clauses=[HELD, elsewhere], project=tenant.project)
    compliance_drift.reconcile()
    row = state_of(placed)
    assert (row.state, [clause["atom"] for clause in row.failing]) == ("drifted", ["there"])


def test_impact_simulation_lists_resources_of_a_certificate(placed: Allocation, tenant: Tenant) -> None:
    certify("fr-idf-2", days=1000, number="SNC-2")
    now, before = clock.now(), catalog.world()
    after = impact_simulation.with_changes(
        before, [impact_simulation.without_certificate(before, "fr-idf-1", "SNC-1", now=now)], now=now
    )
    (broken,) = impact_simulation.affected_resources([tenant.project], before, after, now=now, then=now)
    assert broken.allocation == placed
    assert [result.code for result in broken.evaluation.results] == ["CERT_WITHDRAWN"]
    assert broken.targets == ("fr-idf-2",)
    assert impact_simulation.lost_zones(tenant.project, before, after, now=now, then=now) == ("fr-idf-1",)
    assert impact_simulation.affected_resources([tenant.project], before, before, now=now, then=now) == []
    later = now + timedelta(days=1001)
    assert [
        each.allocation
        for each in impact_simulation.affected_resources([tenant.project], before, before, now=now, then=later)
    ] == [placed]


def test_invalid_simulation_is_refused(placed: Allocation) -> None:
    now, world = clock.now(), catalog.world()
    with pytest.raises(WhatIfInvalid):
        impact_simulation.without_certificate(world, "fr-idf-1", "SNC-9", now=now)
    for change in (
        impact_simulation.Change("zone", "mars-1", "network_class", 1),
        impact_simulation.Change("zone", "fr-idf-1", "colour", "blue"),
        impact_simulation.Change("zone", "fr-idf-1", "network_class", 9),
        impact_simulation.Change("set", "@EU", "members", ["FR"]),
    ):
        with pytest.raises(WhatIfInvalid):
            impact_simulation.with_changes(world, [change], now=now)


# ---- exemptions


@pytest.fixture
def root(tmp_path: Path, settings: Settings) -> SigningKey:
    settings.PKI_DIR = tmp_path
    return signing_keys.create(tmp_path / "root", signing_keys.ROOT, name="root")


@pytest.fixture
def exemption(placed: Allocation, tenant: Tenant, root: SigningKey) -> Exemption:
    """Return an approved exemption for a console, which fits no start or creation and is used at once."""
    compliance_drift.reconcile()
    certify("fr-idf-1", days=1000, status="suspended")
    look = replace(ask(tenant), operation="console.read", consumer_id=placed.consumer_id)
    with pytest.raises(PolicyUnsatisfiable) as caught:
        placement.check_current_node(look)
    refused = Decision.objects.get(pk=caught.value.facts["placement_decision"])
    requested = exemption_request(tenant.actor, tenant.project, NewExemption(refused, "fr-idf-1", "the flood"))
    assert sweep_if_due() is not None, "the epoch has moved"
    assert state_of(placed).state == "drifted"
    agreed = agree(root, requested)
    placement.keep_exempted(look, placement.check_current_node(look))
    return agreed


def at(monkeypatch: pytest.MonkeyPatch, moment: datetime) -> None:
    monkeypatch.setattr("controlplane.kernel.clock.now", lambda: moment)


def test_approved_exemption_exempts_until_it_ends(
    placed: Allocation, exemption: Exemption, monkeypatch: pytest.MonkeyPatch
) -> None:
    compliance_drift.reconcile()
    row = state_of(placed)
    assert (row.state, row.fails_at) == ("exempted", exemption.expires_at)
    assert [clause["atom"] for clause in row.failing] == ["snc"]
    assert not RemediationPlan.objects.filter(state="proposed").exists(), "there is nothing to go back from yet"
    at(monkeypatch, exemption.expires_at - timedelta(minutes=30))
    compliance_drift.reconcile()
    assert (state_of(placed).state, Sweep.objects.get().due_at) == ("exempted", exemption.expires_at)
    at(monkeypatch, exemption.expires_at + timedelta(seconds=9))
    compliance_drift.reconcile()
    row = state_of(placed)
    assert (row.state, row.since, row.fails_at) == ("drifted", exemption.expires_at, exemption.expires_at)
    assert RemediationPlan.objects.get(state="proposed").resource_ids == [placed.consumer_id]


def test_two_approvals_make_a_sweep_due(placed: Allocation, tenant: Tenant, exemption: Exemption) -> None:
    assert sweep_if_due() is not None
    assert sweep_if_due() is None
    look = replace(ask(tenant), operation="instance.reboot", consumer_id=placed.consumer_id)
    with pytest.raises(PolicyUnsatisfiable) as caught:
        placement.check_current_node(look)
    refused = Decision.objects.get(pk=caught.value.facts["placement_decision"])
    requested = exemption_request(tenant.actor, tenant.project, NewExemption(refused, "fr-idf-1", "the flood"))
    assert sweep_if_due() is None
    Exemption.objects.filter(pk=requested.pk).update(approvals=[{}, {}])
    assert sweep_if_due() is not None
    assert state_of(placed).fails_at == exemption.expires_at, "what was written into the table counts for nothing"


def test_clause_outside_the_exemption_is_drift(placed: Allocation, tenant: Tenant, exemption: Exemption) -> None:
    elsewhere = {"id": "there", "attr": "zone.id", "op": "in", "value": ["fr-idf-2"]}
    policy_set(tenant.actor, clauses=[HELD, elsewhere], project=tenant.project)
    compliance_drift.reconcile()
    assert state_of(placed).state == "drifted"


# ---- since when, and until the end


def test_drift_begins_at_the_expiry_however_late_the_sweep(
    placed: Allocation, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However late the sweep is."""
    certify("fr-idf-1", days=10)
    compliance_drift.reconcile()
    ends = state_of(placed).fails_at
    assert ends is not None
    at(monkeypatch, ends + timedelta(minutes=5))
    compliance_drift.reconcile()
    row = state_of(placed)
    assert (row.state, row.since, row.fails_at) == ("drifted", ends, ends)


def assert_drifted_since(placed: Allocation, moment: datetime) -> None:
    """Check the drift onset in the row and in the evidence, and the time of detection."""
    row = state_of(placed)
    assert (row.state, row.since, row.fails_at) == ("drifted", moment, moment)
    assert row.noticed_at == row.checked_at > moment
    text = EvidenceRecord.objects.filter(kind="drift").latest("pk").document
    document = json.loads(text or "")["document"]
    assert (document["since"], document["noticed_at"]) == (as_rfc3339(moment), as_rfc3339(row.noticed_at))


def test_drift_begins_when_the_suspension_was_stated(placed: Allocation) -> None:
    """Whatever else was stated since, before the sweep saw it."""
    certify("fr-idf-1", days=10)
    compliance_drift.reconcile()
    certify("fr-idf-2", days=10)
    certify("fr-idf-1", days=1000, status="suspended")
    suspended = Fact.objects.latest("created_at").created_at
    certify("fr-idf-2", days=20)
    compliance_drift.reconcile()
    assert_drifted_since(placed, suspended)
    compliance_drift.reconcile()
    Sweep.objects.update(due_at=clock.now())
    compliance_drift.reconcile()
    row = state_of(placed)
    assert row.since == suspended
    assert row.noticed_at is not None
    assert row.noticed_at < row.checked_at, "it was noticed once"


def test_drift_begins_at_the_change_of_the_policy(placed: Allocation, tenant: Tenant) -> None:
    compliance_drift.reconcile()
    elsewhere = {"id": "there", "attr": "zone.id", "op": "in", "value": ["fr-idf-2"]}
    policy_set(tenant.actor, clauses=[HELD, elsewhere], project=tenant.project)
    certify("fr-idf-2", days=20)
    compliance_drift.reconcile()
    assert_drifted_since(placed, PolicyVersion.objects.latest("created_at").created_at)


def test_drift_begins_at_a_stated_expiry_before_the_sweep(placed: Allocation, monkeypatch: pytest.MonkeyPatch) -> None:
    compliance_drift.reconcile()
    certify("fr-idf-1", days=1)
    ends = datetime.fromisoformat(Fact.objects.latest("created_at").value[0]["valid_to"])  # type: ignore[index]
    at(monkeypatch, ends + timedelta(minutes=5))
    compliance_drift.reconcile()
    assert_drifted_since(placed, ends)


def test_residency_interval_is_split_at_the_drift_onset(placed: Allocation) -> None:
    compliance_drift.reconcile()
    certify("fr-idf-1", days=1000, status="suspended")
    compliance_drift.reconcile()
    (record,) = EvidenceRecord.objects.filter(kind="drift")
    text = record.document or ""
    body: dict[str, object] = {"jti": "p", "node": "n", "zone": "fr-idf-1", "event": "opened", "kind": "instance"}
    body |= {"resource": str(placed.consumer_id), "at": as_rfc3339(placed.created_at)}
    permit = {"jti": "p", "aud": "n", "zone": "fr-idf-1", "roles": ["compute"], "decision": "d", "nbf": body["at"]}
    records = [json.loads(text), {"kind": "receipt", "document": {"p": body}}]
    records += [{"kind": "permit", "document": {"p": permit}}]
    records += [{"kind": "decision", "document": {"decision": "d", "admit": True}}]
    before, after = history(records, str(placed.consumer_id)).intervals
    assert (before.is_compliant, after.is_compliant) == (True, False)
    assert before.end == after.start == state_of(placed).since


def test_sweep_is_due_after_a_deletion_or_a_late_commit(placed: Allocation, tenant: Tenant) -> None:
    other = placement.claim(ask(tenant))
    assert sweep_if_due() is not None
    placement.release_allocation(other.consumer_id)
    Allocation.objects.filter(pk=placement.claim(ask(tenant)).pk).update(created_at=placed.created_at)
    assert sweep_if_due() is not None, "as many as before, and the newest is the same"
    assert not Compliance.objects.filter(pk=other.consumer_id).exists()


def drift_records() -> list[tuple[str, str]]:
    documents = EvidenceRecord.objects.filter(kind="drift").order_by("created_at", "pk")
    records = [json.loads(text or "")["document"] for text in documents.values_list("document", flat=True)]
    return [(each["was"], each["state"]) for each in records]


def test_every_change_of_drift_is_evidence(placed: Allocation, tenant: Tenant) -> None:
    compliance_drift.reconcile()
    certify("fr-idf-1", days=1000, status="suspended")
    compliance_drift.reconcile()
    plan_approve(tenant.actor, RemediationPlan.objects.get())
    placement.release_allocation(placed.consumer_id)
    compliance_drift.reconcile()
    assert not Compliance.objects.exists()
    assert drift_records() == [("compliant", "drifted"), ("drifted", "remediating"), ("remediating", "evicted")]
    assert RemediationPlan.objects.get().state == "done"
