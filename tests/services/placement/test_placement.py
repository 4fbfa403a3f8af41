"""Placement: the chosen node, the refused ones, the explanation, and the checks of the database."""

from dataclasses import replace
from uuid import UUID

import pytest
from django.db import IntegrityError, connection, transaction

from andromede_core.documents.canonical import digest
from controlplane.catalog.models import Zone
from controlplane.identity.actor import SYSTEM
from controlplane.kernel.ids import new_id
from controlplane.nodes.models import Inventory, Node
from controlplane.nodes.services import node_cordon, node_uncordon
from controlplane.placement import assessment_cache, decisions, policies
from controlplane.placement import services as placement
from controlplane.placement.decisions import GroupRule, PlacementRequest
from controlplane.placement.errors import (
    InsufficientCapacity,
    NoAllocation,
    NoPlace,
    PolicyEmpty,
    PolicyInvalid,
    PolicyUnsatisfiable,
    ZoneUnknown,
)
from controlplane.placement.models import Allocation, Decision, PolicyDocument
from controlplane.reconcilers import capacity_drift
from tests.world import Tenant, make_node, make_tenant

pytestmark = pytest.mark.django_db


@pytest.fixture
def tenant() -> Tenant:
    return make_tenant()


def ask(tenant: Tenant, **more: object) -> PlacementRequest:
    fields = {"vcpus": 1, "memory_mib": 128, "disk_gib": 1, **more}
    return PlacementRequest("instance.create", tenant.project, new_id(), "instance", **fields)


def used(node: Node) -> tuple[int, int, int]:
    inventory = Inventory.objects.get(pk=node.pk)
    return inventory.vcpus_used, inventory.memory_mib_used, inventory.disk_gib_used


def test_allocation_is_counted_and_released(tenant: Tenant) -> None:
    node = make_node("one")
    request = ask(tenant, vcpus=2, memory_mib=512, disk_gib=3)
    allocation = placement.claim(request)
    assert (allocation.node, used(node)) == (node, (2, 512, 3))
    assert allocation.decision.is_admitted
    assert placement.claim(request) == allocation, "asked again, it is the same place"
    assert used(node) == (2, 512, 3)
    assert placement.call_authorization(request.consumer_id).decision_id == allocation.decision_id
    placement.release_allocation(request.consumer_id)
    placement.release_allocation(request.consumer_id)
    assert used(node) == (0, 0, 0)
    with pytest.raises(NoAllocation):
        placement.call_authorization(request.consumer_id)


def test_placement_check_allocates_nothing(tenant: Tenant) -> None:
    node = make_node("one")
    placement.check_placement(ask(tenant))
    assert used(node) == (0, 0, 0)
    assert not Decision.objects.exists()


def test_refused_decision_is_stored_with_the_reason(tenant: Tenant) -> None:
    make_node("one", vcpus_total=2)
    for refused in (placement.check_placement, placement.claim):
        with pytest.raises(InsufficientCapacity) as caught:
            refused(ask(tenant, vcpus=3))
        decision = Decision.objects.get(pk=caught.value.facts["placement_decision"])
        assert not decision.is_admitted
        assert caught.value.facts["explanation"]
        assert caught.value.facts["explanation_fr"] != caught.value.facts["explanation"]
    with pytest.raises(ZoneUnknown):
        placement.check_placement(ask(tenant, zones=("mars-1",)))


def test_near_constraint_selects_the_same_node(tenant: Tenant) -> None:
    nodes = [make_node(name) for name in ("one", "two", "three")]
    first = placement.claim(ask(tenant))
    for _ in range(4):
        assert placement.claim(ask(tenant, near=(first.consumer_id,))).node_id == first.node_id
    full = {"vcpus_total": 5}
    Inventory.objects.filter(pk=first.node_id).update(**full)
    with pytest.raises(InsufficientCapacity):
        placement.claim(ask(tenant, near=(first.consumer_id,)))
    other = placement.claim(ask(tenant))
    assert other.node_id != first.node_id
    with pytest.raises(NoPlace):
        placement.claim(ask(tenant, near=(first.consumer_id, other.consumer_id)))
    with pytest.raises(NoAllocation):
        placement.claim(ask(tenant, near=(new_id(),)))
    assert len(nodes) == 3


@pytest.mark.parametrize("how", ["cordon", "unreachable", "enrolled"])
def test_closed_node_is_not_chosen(tenant: Tenant, how: str) -> None:
    node, other = make_node("big", vcpus_total=64), make_node("small")
    allocation = placement.claim(ask(tenant, zones=("fr-idf-1",), near=()))
    if how == "cordon":
        node_cordon(SYSTEM, node, reason="repair")
    else:
        Node.objects.filter(pk=node.pk).update(state=how)
    for _ in range(4):
        assert placement.claim(ask(tenant)).node == other
    assert placement.call_authorization(allocation.consumer_id).node.pk == allocation.node_id, "what it has stays"
    with pytest.raises(InsufficientCapacity):
        placement.claim(ask(tenant, vcpus=10))
    if how == "cordon":
        node_uncordon(SYSTEM, node)
        assert placement.claim(ask(tenant, vcpus=10)).node == node


@pytest.mark.parametrize("why", ["cordon", "silence", "drained zone", "no such feature", "cordoned host"])
def test_refusal_without_a_capacity_shortage_is_no_place(tenant: Tenant, why: str) -> None:
    node, request = make_node("one"), ask(tenant)
    if why in ("cordon", "cordoned host"):
        node_cordon(SYSTEM, node, reason="repair")
    if why == "silence":
        Node.objects.filter(pk=node.pk).update(state="unreachable")
    if why == "drained zone":
        Zone.objects.filter(pk=node.zone_id).update(status="draining")
    if why == "no such feature":
        request = replace(request, traits=frozenset({"tpm"}))
    if why == "cordoned host":
        make_node("two")
        request = replace(request, host="one")
    for refused in (placement.check_placement, placement.claim):
        with pytest.raises(NoPlace) as caught:
            refused(replace(request, vcpus=10_000))
        decision = Decision.objects.get(pk=caught.value.facts["placement_decision"])
        assert decision.document["verdict"] == "inadmissible"
        assert decision.document["request"]["host"] == (str(node.pk) if request.host else None)


def test_node_cordoned_after_the_decision_is_not_claimed(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    node = make_node("one")
    decide = decisions.decide

    def decide_and_cordon(*args: object, **kwargs: object) -> object:
        decision = decide(*args, **kwargs)
        node_cordon(SYSTEM, node, reason="just now")
        return decision

    monkeypatch.setattr(decisions, "decide", decide_and_cordon)
    with pytest.raises(NoPlace):
        placement.claim(ask(tenant))
    assert used(node) == (0, 0, 0)


@pytest.mark.parametrize("is_strict", [True, False])
def test_anti_affinity_separates_members(tenant: Tenant, is_strict: bool) -> None:
    make_node("one"), make_node("two")
    group = GroupRule(new_id(), "anti-affinity", is_strict)
    nodes = {placement.claim(ask(tenant, group=group)).node_id for _ in range(2)}
    assert len(nodes) == 2
    if is_strict:
        with pytest.raises(NoPlace):
            placement.claim(ask(tenant, group=group))
    else:
        assert placement.claim(ask(tenant, group=group)).node_id in nodes
    other_group = GroupRule(new_id(), "anti-affinity", is_strict)
    placement.claim(ask(tenant, group=other_group))


@pytest.mark.parametrize("is_strict", [True, False])
def test_affinity_joins_members(tenant: Tenant, is_strict: bool) -> None:
    make_node("one", vcpus_total=2), make_node("two", vcpus_total=2)
    group = GroupRule(new_id(), "affinity", is_strict)
    nodes = {placement.claim(ask(tenant, group=group)).node_id for _ in range(2)}
    assert len(nodes) == 1
    if is_strict:
        with pytest.raises(InsufficientCapacity):
            placement.claim(ask(tenant, group=group))
    else:
        assert placement.claim(ask(tenant, group=group)).node_id not in nodes


def in_zones(*zones: str, name: str = "home") -> list[dict[str, object]]:
    return [{"id": name, "attr": "zone.id", "op": "in", "value": list(zones)}]


def test_organization_and_project_policies_both_apply(tenant: Tenant) -> None:
    for zone in ("fr-idf-1", "fr-nord-1", "de-rhein-1", "us-va-1"):
        make_node(f"node-{zone}", zone=zone)
    organization = tenant.project.organization
    policies.policy_set(SYSTEM, clauses=in_zones("fr-idf-1", "fr-nord-1"), organization=organization)
    policies.policy_set(tenant.actor, clauses=in_zones("fr-nord-1", "de-rhein-1"), project=tenant.project)
    for _ in range(4):
        assert placement.claim(ask(tenant)).node.zone_id == "fr-nord-1"
    for zone in ("fr-idf-1", "de-rhein-1", "us-va-1"):
        with pytest.raises(PolicyUnsatisfiable):
            placement.claim(ask(tenant, zones=(zone,)))
    other = make_tenant("beta")
    assert placement.claim(ask(other, zones=("us-va-1",))).node.zone_id == "us-va-1"


def test_full_admitted_zones_are_a_capacity_shortage(tenant: Tenant) -> None:
    make_node("home", zone="fr-idf-1", vcpus_total=1)
    make_node("away", zone="us-va-1", vcpus_total=64)
    policies.policy_set(tenant.actor, clauses=in_zones("fr-idf-1"), project=tenant.project)
    with pytest.raises(InsufficientCapacity):
        placement.claim(ask(tenant, vcpus=2))


def test_new_policy_leaves_running_resources(tenant: Tenant) -> None:
    make_node("away", zone="us-va-1")
    old = placement.claim(ask(tenant))
    make_node("home", zone="fr-idf-1")
    policies.policy_set(tenant.actor, clauses=in_zones("fr-idf-1"), project=tenant.project)
    assert placement.claim(ask(tenant)).node.zone_id == "fr-idf-1"
    assert Allocation.objects.get(pk=old.pk).node.zone_id == "us-va-1"
    with pytest.raises(PolicyUnsatisfiable):
        placement.grow(replace(ask(tenant, vcpus=2), consumer_id=old.consumer_id))
    with pytest.raises(PolicyUnsatisfiable):
        placement.claim(ask(tenant, near=(old.consumer_id,)))


def test_impossible_policy_is_refused(tenant: Tenant) -> None:
    organization = tenant.project.organization
    policies.policy_set(SYSTEM, clauses=in_zones("fr-idf-1"), organization=organization)
    with pytest.raises(PolicyEmpty):
        policies.policy_set(tenant.actor, clauses=in_zones("us-va-1", name="abroad"), project=tenant.project)
    with pytest.raises(PolicyInvalid):
        policies.policy_set(tenant.actor, clauses=[{"id": "x", "attr": "no.such", "op": "in"}], project=tenant.project)


def test_grow_claims_only_the_difference_on_its_node(tenant: Tenant) -> None:
    node = make_node("one", vcpus_total=4)
    make_node("two", vcpus_total=64)
    node_cordon(SYSTEM, Node.objects.get(name="two"), reason="so that the first one is chosen")
    request = ask(tenant, vcpus=3)
    placement.claim(request)
    node_uncordon(SYSTEM, Node.objects.get(name="two"))
    placement.grow(replace(request, vcpus=4))
    assert used(node) == (4, 128, 1)
    placement.check_growth(replace(request, vcpus=4))
    placement.grow(replace(request, vcpus=4))
    for refused in (placement.check_growth, placement.grow):
        with pytest.raises(InsufficientCapacity):
            refused(replace(request, vcpus=5))
    assert used(node) == (4, 128, 1)


def test_shrink_needs_no_capacity(tenant: Tenant) -> None:
    node = make_node("one", vcpus_total=4)
    request = ask(tenant, vcpus=4, memory_mib=512)
    placement.claim(request)
    node_cordon(SYSTEM, node, reason="repair")
    placement.shrink(request.consumer_id, vcpus=1, memory_mib=1024)
    assert used(node) == (1, 512, 1)
    placement.shrink(new_id(), vcpus=1)


# ---- what the database itself refuses

INSERT = """
INSERT INTO placement_allocation
    (id, created_at, updated_at, consumer_id, kind, project_id, node_id, decision_id, vcpus, memory_mib, disk_gib)
VALUES (%s, now(), now(), %s, 'instance', %s, %s, %s, %s, %s, %s)
"""


def admitted(tenant: Tenant, zone: str = "fr-idf-1") -> Decision:
    """A decision that admits, as it would be if nothing were demanded."""
    standing = assessment_cache.read_versions(tenant.project.organization_id, new_id()).standing
    nothing, _ = PolicyDocument.objects.get_or_create(digest=digest([]), defaults={"document": []})
    return Decision.objects.create(
        operation="instance.create",
        project=tenant.project,
        consumer_id=new_id(),
        is_admitted=True,
        facts_epoch=standing.facts_epoch,
        platform_version=standing.platform_version,
        organization_version=standing.organization_version,
        policies=nothing,
        admitted_zones=[zone],
        document={},
    )


def insert(tenant: Tenant, node_id: UUID, *amounts: int) -> None:
    decision = admitted(tenant)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(INSERT, [new_id(), decision.consumer_id, tenant.project.pk, node_id, decision.pk, *amounts])


@pytest.mark.parametrize("amounts", [(9, 0, 0), (0, 8193, 0), (0, 0, 101)])
def test_raw_sql_cannot_oversell(tenant: Tenant, amounts: tuple[int, int, int]) -> None:
    node = make_node("one")
    insert(tenant, node.pk, 8, 8192, 100)
    Allocation.objects.all().delete()
    with pytest.raises(IntegrityError, match="not_oversold"):
        insert(tenant, node.pk, *amounts)
    assert used(node) == (0, 0, 0)
    assert not Allocation.objects.exists()


def test_raw_sql_cannot_raise_a_claim_over_the_capacity(tenant: Tenant) -> None:
    node = make_node("one")
    insert(tenant, node.pk, 8, 0, 0)
    with pytest.raises(IntegrityError, match="not_oversold"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE placement_allocation SET vcpus = vcpus + 1")
    with pytest.raises(IntegrityError, match="not_oversold"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE nodes_inventory SET vcpus_reserved = 1")
    assert used(node) == (8, 0, 0)


def test_counters_follow_changes_of_the_rows(tenant: Tenant) -> None:
    node, other = make_node("one"), make_node("two")
    insert(tenant, node.pk, 2, 256, 5)
    insert(tenant, node.pk, 1, 128, 1)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE placement_allocation SET node_id = %s WHERE vcpus = 1", [other.pk])
    assert (used(node), used(other)) == ((2, 256, 5), (1, 128, 1))
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM placement_allocation")
    assert (used(node), used(other)) == ((0, 0, 0), (0, 0, 0))
    assert capacity_drift.reconcile() == []


def test_tampered_counter_is_reported(tenant: Tenant) -> None:
    node = make_node("one")
    Inventory.objects.filter(pk=node.pk).update(vcpus_used=1)
    assert capacity_drift.reconcile() == [str(node.pk)]


def test_a_node_without_an_inventory_takes_nothing(tenant: Tenant) -> None:
    node = make_node("one")
    Inventory.objects.all().delete()
    with pytest.raises(IntegrityError, match="no inventory"):
        insert(tenant, node.pk, 1, 0, 0)
