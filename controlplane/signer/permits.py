"""Sign or refuse the permit that a row requests.

The request is not trusted: its inputs are read and decided again here.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from django.db import transaction

from andromede_core.documents.messages import Message
from andromede_core.permits.permit import KIND, Limits, Permit, expiry
from andromede_core.permits.sentinel_signature import sentinel_classifications
from andromede_core.permits.trust_documents import PUBLIC, Charter
from andromede_core.policy.roles import ALSO_PART_OF, PART_OF, ROLES_OF
from controlplane.kernel import clock
from controlplane.kernel.db import move
from controlplane.kernel.errors import CloudError
from controlplane.kernel.prepared_queries import Prepared
from controlplane.nodes import trust_documents
from controlplane.nodes.admin_state import require_in_service
from controlplane.nodes.models import Node
from controlplane.nodes.signing_keys import SigningKey, signing_key
from controlplane.nodes.trust_documents import NodeTrust
from controlplane.operations.models import Operation
from controlplane.placement import assessment_cache, permits
from controlplane.placement.assessment_cache import PolicySet
from controlplane.placement.errors import NoAllocation
from controlplane.placement.exemptions import ExemptedAction, as_core, record_use
from controlplane.placement.models import PERMIT, Allocation, Decision, Exemption
from controlplane.placement.models import Permit as Row
from controlplane.placement.selectors import DecisionVersions
from controlplane.placement.services import redecide
from controlplane.signer import floors, permit_queue, permit_scope, trusted_facts
from controlplane.signer.errors import NodeNotCleared, PermitOutdated
from controlplane.signer.permit_scope import PermitScope
from controlplane.signer.policy_check import check_policies
from controlplane.signer.trusted_facts import TrustedFacts
from controlplane.storage.services import CREATE

UNDER_WAY = ("running", "undoing")


def sign_all() -> int:
    """Answer all open requests. Returns how many rows there were."""
    return permit_queue.process_queue("requested", sign)


def sign(permit_id: UUID) -> None:
    """Sign or refuse the permit."""
    permit_queue.answer_permit(permit_id, state="requested", by=_answer, refuse=_refuse)


def _refuse(row: Row, error: CloudError) -> None:
    Row.objects.filter(pk=row.pk, state="requested").update(
        state="refused", error=error.as_document(), updated_at=clock.now()
    )


@dataclass(frozen=True)
class PermitInputs:
    """The current inputs of a permit: scope, policies, and the node's trust."""

    scope: PermitScope
    limits: Limits
    standing: DecisionVersions
    demand: PolicySet
    trusted: NodeTrust


def read_inputs(row: Row) -> PermitInputs:
    """Read the inputs.

    Raises:
        PermitOutdated, NoAllocation, NodeNotCleared, NodeOutOfService: the node must not do this now.
    """
    operation = _operation(row)
    require_in_service(row.node, operation.kind)
    scope = permit_scope.for_operation(operation, row.op, row.resource_id)
    _check_row(row, scope)
    limits = _limits(scope, row.node)
    cache_key = assessment_cache.read_versions(scope.subject.project.organization_id, row.resource_id)
    demand = assessment_cache.policy_set(scope.subject, cache_key)
    trusted = trust_documents.trusted_by(row.node)
    _check_node(row.node, trusted.charter, demand)
    return PermitInputs(scope, limits, cache_key.standing, demand, trusted)


def build_permit(
    row: Row, reading: PermitInputs, decision: Decision, facts: TrustedFacts, *, key_ends: datetime
) -> Permit:
    """Build the permit from the inputs.

    Raises:
        FactsNotVouchedFor: a policy does not hold on facts that officers have signed.
    """
    project, demand, now = reading.scope.subject.project, reading.demand, clock.now()
    action = ExemptedAction(row.resource_id, row.op, demand.classifications, row.operation_id)
    judged = check_policies(demand.policies, facts, action)
    return Permit(
        jti=str(row.pk),
        op=row.op,
        resource=str(row.resource_id),
        gen=row.generation,
        aud=str(row.node_id),
        zone=facts.zone,
        roles=ROLES_OF[row.op],
        organization=str(project.organization_id),
        project=str(project.pk),
        policy_digest=demand.digest,
        epoch=facts.epoch,
        classifications=demand.classifications,
        decision=str(decision.pk),
        nbf=now,
        exp=expiry(now, decision.valid_until, judged.valid_until, key_ends),
        limits=reading.limits,
        contents=reading.scope.contents,
        exemption=as_core(judged.exemption) if judged.exemption else None,
        peer=reading.scope.peer,
    )


def _answer(row: Row) -> None:
    reading, zone = read_inputs(row), row.node.zone_id
    trusted, demand = reading.trusted, reading.demand
    decision = _decision(row, reading)
    facts = trusted_facts.load(zone, decision.facts_epoch)
    key = signing_key(trusted.keyset, trusted.denied, zone=zone, classifications=demand.classifications)
    permit = build_permit(row, reading, decision, facts, key_ends=trusted.keyset.keys[key.id].not_after)
    floors.ensure_floor(facts, signed_epoch=trusted.epoch)
    _keep(row, reading, permit, key, decision)
    if row.state == "cosigning":
        permits.wake_up_next(row.pk, state=row.state)


OPERATIONS = Prepared(
    lambda operation: Operation.objects.only("kind", "resource_id", "state", "args").filter(pk=operation)
)


def _operation(row: Row) -> Operation:
    """Return the live operation that the permit is for."""
    operation = OPERATIONS.first(row.operation_id)
    if operation is None or not _is_for(operation, row):
        raise PermitOutdated(reason=Message("there is no such operation."))
    if operation.state not in UNDER_WAY:
        raise PermitOutdated(reason=Message("no worker is executing the operation."))
    return operation


def _is_for(operation: Operation, row: Row) -> bool:
    """Tell if the permit may be for the operation, or a part of it, by the kinds and resources of both.

    The scope checks that the creation of an instance makes the volume.
    """
    kinds = {PART_OF.get(row.op, row.op), *ALSO_PART_OF.get(row.op, ())}
    is_volume_of_instance = (operation.kind, row.op) == ("instance.create", CREATE)
    return operation.kind in kinds and (operation.resource_id == row.resource_id) != is_volume_of_instance


def _check_row(row: Row, scope: PermitScope) -> None:
    if row.generation != scope.generation:
        raise PermitOutdated(reason=Message("it is at generation {generation}.", generation=scope.generation))
    if row.project_id != scope.subject.project.pk:
        raise PermitOutdated(reason=Message("it belongs to another project."))


ALLOCATIONS = Prepared(lambda consumer: Allocation.objects.filter(consumer_id=consumer))


def _limits(scope: PermitScope, node: Node) -> Limits:
    """Return the limits from the allocation; all resources of the scope must have theirs on the node.

    Data in a pool counts at its old node until it has moved.
    """
    rows = {row.consumer_id: row for consumer in scope.consumers for row in ALLOCATIONS.rows(consumer)}
    for consumer in scope.consumers:
        if consumer not in rows or rows[consumer].node_id != node.pk:
            raise NoAllocation()
    own = rows[scope.consumers[0]]
    disks = rows.values() if scope.brings_disks else (own,)
    homes = [row.moving_id for row in disks if row.moving_id is not None]
    shared = Allocation.objects.filter(consumer_id__in=homes, pool__isnull=False) if homes else ()
    sizes = [each.disk_gib + each.pool_gib for each in (*disks, *shared)]
    return Limits(own.vcpus, own.memory_mib, max(sizes))


def _check_node(node: Node, charter: Charter | None, demand: PolicySet) -> None:
    """Check the node's charter, as the node does, and its attestation, which all but public data needs."""
    if charter is None or not charter.valid_from <= clock.now() < charter.valid_to:
        raise NodeNotCleared(reason=Message("it has no charter that holds now."))
    if charter.zone != node.zone_id:
        raise NodeNotCleared(reason=Message("its charter is for the zone {zone}.", zone=charter.zone))
    if not charter.covers(demand.classifications):
        raise NodeNotCleared(reason=Message("its charter does not allow them."))
    if set(demand.classifications) - {PUBLIC} and not node.attests:
        raise NodeNotCleared(reason=node.hook_problem or Message("its node attestation is too old."))


def _decision(row: Row, reading: PermitInputs) -> Decision:
    """Return the request's decision, if it fits, has these policies, and is still valid; else a new one."""
    decision = row.decision
    if (
        decision is not None
        and decision.consumer_id == row.resource_id
        and (reading.scope.decided_for or row.node.zone_id) in decision.admitted_zones
        and set(ROLES_OF[row.op]) <= set(decision.roles)
        and decision.policies_id == reading.demand.digest
        and permits.is_current(decision, reading.standing)
    ):
        return decision
    return redecide(replace(reading.scope.make_request(), operation_id=row.operation_id))


@transaction.atomic
def _keep(row: Row, reading: PermitInputs, permit: Permit, key: SigningKey, decision: Decision) -> None:
    """Store the decision's use of an exemption.

    The decision may have admitted the request without it, on facts without a valid signature: the use is counted here
    too, if it was not.
    """
    signed = key.sign(KIND, permit.payload())
    if reading.demand.digest != decision.policies_id:
        reading.demand.keep()
    if permit.exemption is not None:
        exemption = Exemption.objects.get(pk=permit.exemption.terms.id)
        record_use(exemption, decision_id=decision.pk, operation_id=row.operation_id)
    needs_sentinel = sentinel_classifications(
        reading.trusted.keyset, zone=permit.zone, classifications=permit.classifications
    )
    to = "cosigning" if needs_sentinel else "signed"
    move(row, PERMIT, to, document=signed.document(), expires_at=permit.exp, decision=decision)
    permit_queue.record_evidence("permit", signed, row, organization=permit.organization)
