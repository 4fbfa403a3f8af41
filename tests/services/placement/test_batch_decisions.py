"""Decisions about many consumers at once are those about each, and take as many queries for many as for one."""

from collections.abc import Sequence
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from andromede_core.placement import decision as core
from controlplane.audit.models import EvidenceRecord
from controlplane.compute.models import Instance
from controlplane.compute.public_address_attachments import ATTACH
from controlplane.compute.services import instance_placement_request
from controlplane.nodes.errors import NodeOutOfService
from controlplane.nodes.models import Node
from controlplane.placement import services as placement
from controlplane.placement.batch_decisions import store_decisions
from controlplane.placement.decisions import PlacementRequest, PlacementResult
from controlplane.placement.errors import NoAllocation, PolicyUnsatisfiable
from controlplane.placement.models import Allocation, Decision, PolicyDocument
from controlplane.placement.policies import own_policy
from tests.services.policies import HOME, classify, in_zones, made_instance, ruled
from tests.world import Cloud


@pytest.fixture
def instances(known: Cloud) -> list[Instance]:
    """Four instances: two with the same policies, one with another classification, one with clauses of its own."""
    name = classify("mine", in_zones(HOME, "fr-sud-1"), known.tenant.project).pk
    own = own_policy(in_zones(HOME, "us-va-1"), at="policy")
    assert own is not None
    return [
        made_instance(known, name="one"),
        made_instance(known, name="two"),
        made_instance(known, name="classified", classifications=(name,)),
        made_instance(known, name="own", policy=own),
    ]


def asked(instances: Sequence[Instance]) -> list[PlacementRequest]:
    return [instance_placement_request(each, operation=ATTACH) for each in instances]


def content(result: PlacementResult) -> Any:
    document = core.as_document(result.decision)
    return document, result.standing, result.demand, result.exemption, result.missed_traits, result.valid_until


def query_count(requests: Sequence[PlacementRequest]) -> int:
    with CaptureQueriesContext(connection) as queries:
        results = placement.check_current_nodes(requests)
        store_decisions(list(zip(requests, results, strict=True)))
    return len(queries)


def test_decisions_are_those_about_each(instances: list[Instance]) -> None:
    requests = asked(instances)
    alone = [content(placement.check_current_node(each)) for each in requests]
    assert [content(each) for each in placement.check_current_nodes(requests)] == alone
    assert len({str(demand.digest) for _, _, demand, *_ in alone}) == 3


def test_each_decision_is_stored_with_its_evidence(instances: list[Instance]) -> None:
    requests = asked(instances)
    results = placement.check_current_nodes(requests)
    stored = store_decisions(list(zip(requests, results, strict=True)))
    assert [each.consumer_id for each in stored] == [each.pk for each in instances]
    for decision, result in zip(stored, results, strict=True):
        row = Decision.objects.get(pk=decision.pk)
        assert (row.operation, row.is_admitted, row.document) == (ATTACH, True, core.as_document(result.decision))
        assert PolicyDocument.objects.get(pk=row.policies_id).document == result.demand.layers
        evidence = EvidenceRecord.objects.get(kind="decision", subject_id=str(decision.pk))
        assert evidence.resource_id == decision.consumer_id


def test_many_take_as_many_queries_as_one(instances: list[Instance]) -> None:
    requests = asked(instances)
    placement.check_current_nodes(requests)
    alike, others = requests[:2], requests[2:]
    assert query_count(alike[:1]) == query_count(alike)
    assert query_count(others) == query_count(requests)
    assert query_count(requests) - query_count(alike) == 1, "the classifications that any of them has are read"


def test_refusal_is_that_of_the_first_that_is_refused(known: Cloud, instances: list[Instance]) -> None:
    ruled(known.tenant.project, *in_zones("fr-sud-1"))
    requests = asked(instances)
    with pytest.raises(PolicyUnsatisfiable):
        placement.check_current_nodes(requests[:1])  # stores the policies, for all that follow
    with CaptureQueriesContext(connection) as one, pytest.raises(PolicyUnsatisfiable):
        placement.check_current_nodes(requests[:1])
    with CaptureQueriesContext(connection) as two, pytest.raises(PolicyUnsatisfiable) as caught:
        placement.check_current_nodes(requests[:2])
    assert len(one) == len(two)
    with pytest.raises(PolicyUnsatisfiable) as alone:
        placement.check_current_node(requests[0])
    assert caught.value.facts["explanation"] == alone.value.facts["explanation"]
    refusal = Decision.objects.get(pk=caught.value.facts["placement_decision"])
    assert (refusal.consumer_id, refusal.is_admitted) == (requests[0].consumer_id, False)


def test_each_needs_a_node_that_is_in_service(instances: list[Instance]) -> None:
    requests = asked(instances)
    Node.objects.update(admin_state="maintenance")
    with pytest.raises(NodeOutOfService):
        placement.check_current_nodes(requests)
    Allocation.objects.filter(consumer_id=instances[1].pk).delete()
    with pytest.raises(NoAllocation):
        placement.check_current_nodes(requests[1:2])


def test_check_without_placement_requests_does_nothing() -> None:
    assert placement.check_current_nodes([]) == []
