"""Decisions about many consumers of one project that stay on their nodes, with as many queries for many as for one.

What is decided and stored of each is what decisions.py decides and stores.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from django.db import transaction

from andromede_core.placement.request import Resources
from andromede_core.policy.assessment import Assessment, assess
from andromede_core.policy.roles import ROLES_OF
from controlplane.audit.models import EvidenceRecord
from controlplane.kernel import clock
from controlplane.placement import assessment_cache
from controlplane.placement.assessment_cache import CacheKey, PolicySet
from controlplane.placement.decisions import (
    PlacementInputs,
    PlacementRequest,
    PlacementResult,
    decided,
    in_place,
    policy_subject,
    record_exemption_use,
    resolve,
    rows,
    seed_of,
)
from controlplane.placement.fleet_cache import FLEET
from controlplane.placement.models import Decision, PolicyDocument

DecidedRequest = tuple[PlacementRequest, PlacementResult]
BATCH = 1000  # rows of an INSERT


def redecide_all_in_place(requests: Sequence[PlacementRequest], nodes: Mapping[UUID, UUID]) -> list[PlacementResult]:
    """Decide if each consumer may stay and work on its node, as redecide_in_place does, up to the first that may not.

    The requests are of one project and operation. `nodes`: by consumer. A consumer that its policies do not admit costs
    queries of its own, since it may have an exemption; the result of the first without one is the last.

    Raises:
        TooManyClauses
    """
    if not requests:
        return []
    now, organization_id = clock.now(), requests[0].project.organization_id
    keys = assessment_cache.read_versions_of(organization_id, [each.consumer_id for each in requests])
    demands = assessment_cache.policy_sets([policy_subject(each) for each in requests])
    assessments = _assessments(demands, requests[0], keys[requests[0].consumer_id], now)
    fleet = FLEET.current()
    known: dict[tuple[str, tuple[str, ...], UUID], PlacementResult] = {}
    results = []
    for request, demand in zip(map(in_place, requests), demands, strict=True):
        key, node = keys[request.consumer_id], nodes[request.consumer_id]
        alike = known.get((demand.digest, demand.classifications, node))
        if alike is not None and alike.exemption is None:
            results.append(replace(alike, decision=replace(alike.decision, seed=seed_of(request))))
            continue
        resolved = resolve(request, Resources(), frozenset({str(node)}), demand, is_there=True)
        taken = decided(request, PlacementInputs(resolved, fleet, assessments[demand.digest], demand, key, now))
        known[demand.digest, demand.classifications, node] = taken
        results.append(taken)
        if not taken.decision.is_admitted:
            break
    return results


def _assessments(
    demands: Sequence[PolicySet], request: PlacementRequest, key: CacheKey, now: datetime
) -> dict[str, Assessment]:
    """Return the results of the policies for every zone, by the digest of the policies."""
    roles, world = request.roles or ROLES_OF[request.operation], assessment_cache.world(key)
    distinct = {demand.digest: demand for demand in demands}
    return {digest: assess(each.policies, world, now=now, roles=roles) for digest, each in distinct.items()}


@transaction.atomic
def store_decisions(decided: Sequence[DecidedRequest]) -> list[Decision]:
    """Store each decision with all its inputs, and as evidence, as store_decision does."""
    to_store = [(*each, *rows(*each)) for each in decided]
    for request, result, decision, _ in to_store:
        record_exemption_use(request, result, decision)
    documents = {result.demand.digest: result.demand.layers for _, result in decided}
    # In one order, since concurrent calls wait for each other's new rows.
    policies = [PolicyDocument(digest=digest, document=documents[digest]) for digest in sorted(documents)]
    PolicyDocument.objects.bulk_create(policies, BATCH, ignore_conflicts=True)
    EvidenceRecord.objects.bulk_create([evidence for *_, evidence in to_store], BATCH)
    return Decision.objects.bulk_create([decision for _, _, decision, _ in to_store], BATCH)
