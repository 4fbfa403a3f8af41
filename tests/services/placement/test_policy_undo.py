"""Undo of a tightened policy by its author alone, as long as nothing was placed by it."""

import json
import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from controlplane.audit.models import AuditEntry, EvidenceRecord
from controlplane.identity.actor import SYSTEM, Actor
from controlplane.identity.errors import RoleNeeded
from controlplane.kernel import clock
from controlplane.kernel.ids import new_id
from controlplane.placement import policies, policy_undo
from controlplane.placement import services as placement
from controlplane.placement.decisions import PlacementRequest
from controlplane.placement.errors import PolicyNotUndoable, PolicyUnsatisfiable
from controlplane.placement.models import Decision, PolicyHead, PolicyProposal, PolicyVersion
from controlplane.placement.policy_owners import PolicyOwner
from tests.limits import PATIENCE_S
from tests.services.policies import classify, in_zones, officer, operator
from tests.services.threads import until_one_waits_for_a_lock
from tests.world import Tenant, make_node, make_tenant

pytestmark = pytest.mark.django_db

HERE, THERE = in_zones("fr-idf-1", "de-rhein-1"), in_zones("fr-idf-1")


@pytest.fixture
def tenant() -> Tenant:
    return make_tenant()


@pytest.fixture
def olga(tenant: Tenant) -> Actor:
    return officer(tenant.project)


def of(tenant: Tenant) -> PolicyOwner:
    return PolicyOwner(project=tenant.project)


def change(actor: Actor, owner: PolicyOwner, clauses: list[Any]) -> PolicyVersion:
    version = policies.policy_change(actor, owner, policies.PolicyChange(clauses)).version
    assert version is not None
    return version


def refused(actor: Actor, owner: PolicyOwner) -> str:
    with pytest.raises(PolicyNotUndoable) as caught:
        policy_undo.policy_undo(actor, owner)
    return str(caught.value)


def placing(tenant: Tenant, **more: Any) -> PlacementRequest:
    return PlacementRequest(
        "instance.create", tenant.project, new_id(), "instance", vcpus=1, memory_mib=128, disk_gib=1, **more
    )


@pytest.mark.parametrize("before", [[], HERE])
def test_undo_restores_the_previous_policy(tenant: Tenant, olga: Actor, before: list[Any]) -> None:
    owner, head = of(tenant), PolicyHead.objects.get(organization=tenant.project.organization).version
    former = change(olga, owner, before).clauses if before else []
    slip = change(olga, owner, THERE)
    outcome = policy_undo.policy_undo(olga, owner)
    assert outcome.version is not None
    assert (outcome.review.change, outcome.version.version, outcome.version.clauses) == (
        "looser",
        slip.version + 1,
        former,
    )
    assert not PolicyProposal.objects.exists()
    assert PolicyHead.objects.get(organization=tenant.project.organization).version == head + 2 + bool(before)


def test_undo_is_recorded_as_a_looser_change(tenant: Tenant, olga: Actor) -> None:
    slip = change(olga, of(tenant), THERE)
    saved = policy_undo.policy_undo(olga, of(tenant)).version
    assert saved is not None
    facts = AuditEntry.objects.filter(verb="policy.set").latest("pk").facts
    assert (facts["version"], facts["undoes"], facts["change"]) == (saved.version, slip.version, "looser")
    body = json.loads(EvidenceRecord.objects.filter(kind="policy_version").latest("pk").document or "{}")["document"]
    assert (body["undoes"], body["change"], body["by"]) == (slip.version, "looser", [str(olga.user_id)])


def test_only_the_author_undoes_a_change(tenant: Tenant, olga: Actor) -> None:
    change(olga, of(tenant), THERE)
    assert "another user made it" in refused(officer(tenant.project, "otto"), of(tenant))
    assert "belongs to no user" in refused(SYSTEM, of(tenant))
    with pytest.raises(RoleNeeded):
        policy_undo.policy_undo(officer(make_tenant("beta").project, "bert"), of(tenant))
    policy_undo.policy_undo(olga, of(tenant))


def test_only_the_last_change_is_undone(tenant: Tenant, olga: Actor) -> None:
    change(olga, of(tenant), THERE)
    policy_undo.policy_undo(olga, of(tenant))
    assert "no more than" in refused(olga, of(tenant))
    change(officer(tenant.project, "otto"), of(tenant), THERE)
    assert "another user made it" in refused(olga, of(tenant))


def test_undo_is_refused_after_ten_minutes(tenant: Tenant, olga: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    until = change(olga, of(tenant), THERE).created_at + policy_undo.UNDO_WITHIN
    monkeypatch.setattr(clock, "now", lambda: until + timedelta(milliseconds=1))
    assert "ten minutes" in refused(olga, of(tenant))
    monkeypatch.setattr(clock, "now", lambda: until)
    policy_undo.policy_undo(olga, of(tenant))


def test_undo_is_refused_after_a_placement(tenant: Tenant, olga: Actor) -> None:
    make_node("one")
    change(olga, of(tenant), THERE)
    placement.claim(placing(tenant))
    assert "a placement decision already rests on it" in refused(olga, of(tenant))


def test_undo_is_possible_after_a_refused_placement(tenant: Tenant, olga: Actor) -> None:
    make_node("one")
    change(olga, of(tenant), in_zones("de-rhein-1"))
    with pytest.raises(PolicyUnsatisfiable):
        placement.claim(placing(tenant))
    policy_undo.policy_undo(olga, of(tenant))
    assert placement.claim(placing(tenant)).node.name == "one"


def test_undo_is_possible_after_a_placement_of_another_organization(tenant: Tenant, olga: Actor) -> None:
    make_node("one")
    change(olga, of(tenant), THERE)
    placement.claim(placing(make_tenant("beta")))
    policy_undo.policy_undo(olga, of(tenant))


@pytest.mark.parametrize("level", ["platform", "organization", "classification"])
def test_undo_works_at_every_level(tenant: Tenant, level: str) -> None:
    make_node("one")
    owners = {"platform": PolicyOwner(), "organization": PolicyOwner(organization=tenant.project.organization)}
    actor, marks = operator(), tuple[str, ...]()
    if level == "classification":
        classification = classify("secret", HERE, tenant.project)
        owners[level], marks = PolicyOwner(classification=classification), (classification.pk,)
        actor = officer(tenant.project)
    change(actor, owners[level], THERE)
    policy_undo.policy_undo(actor, owners[level])
    change(actor, owners[level], THERE)
    placement.claim(placing(tenant, classifications=marks))
    assert "a placement decision already rests on it" in refused(actor, owners[level])


@pytest.mark.django_db(transaction=True)
def test_concurrent_placement_waits_for_the_undo_and_decides_anew(tenant: Tenant, olga: Actor) -> None:
    make_node("one")
    change(olga, of(tenant), THERE)
    placed: list[object] = []

    def place() -> None:
        try:
            placed.append(placement.claim(placing(tenant)))
        finally:
            connection.close()

    with transaction.atomic():
        policy_undo.policy_undo(olga, of(tenant))
        thread = threading.Thread(target=place)
        thread.start()
        until_one_waits_for_a_lock()
        assert not placed
    thread.join(PATIENCE_S)
    head = PolicyHead.objects.get(organization=tenant.project.organization).version
    assert len(placed) == 1
    assert list(Decision.objects.filter(is_admitted=True).values_list("organization_version", flat=True)) == [head]
