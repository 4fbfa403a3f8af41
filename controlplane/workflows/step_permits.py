"""Permits for the calls that a workflow step makes to a node.

Every spec that gives a node data or work carries a permit: the functions for_…() are the one way to get it. A step
requests it each time it runs; a permit that the operation already has is found again as long as it is valid.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from uuid import UUID

from agents.protocol import agent_pb2 as pb
from andromede_core.policy.roles import PART_OF
from controlplane.catalog.models import Image
from controlplane.compute.actions import MOVE, RELOCATION
from controlplane.compute.attachments import attachment_request, instance_with_volumes_request
from controlplane.compute.instance_snapshots import snapshots_placement_request
from controlplane.compute.migration import migration_request
from controlplane.compute.models import Attachment, Instance, Migration
from controlplane.compute.volume_moves import SEND, volume_move_request
from controlplane.kernel import clock
from controlplane.kernel.errors import CloudError
from controlplane.nodes import agent_client, trust_documents
from controlplane.nodes.admin_state import require_in_service
from controlplane.nodes.agent_client import CallAuthorization
from controlplane.nodes.errors import NodeFailed, NodeNotTrusting, NodeRefused
from controlplane.nodes.models import Node
from controlplane.operations.models import Operation
from controlplane.placement import assessment_cache, permits
from controlplane.placement import services as placement
from controlplane.placement.decisions import PlacementRequest
from controlplane.placement.effective_policies import DataSource
from controlplane.placement.errors import SignerSilent
from controlplane.placement.models import Allocation, Decision
from controlplane.placement.permits import PermitKey
from controlplane.storage.image_sources import Source, image_placement_request, volume_of
from controlplane.storage.models import Snapshot, Volume, VolumeMove
from controlplane.storage.services import volume_placement_request
from controlplane.storage.snapshot_placement import snapshot_placement_request
from controlplane.workflows.workflow_types import StepPending

log = logging.getLogger(__name__)

PERMIT_REFUSED = "agent.permit."
TRUST_OLDER = "agent.trust_older"
RECOVERABLE_REFUSALS = frozenset({"unknown_key", "no_charter", "stale_facts", "revoked_by_epoch", "expired"})
MIGRATE_OUT = "instance.migrate-out"
SIGNER_RETRY_DELAY = timedelta(milliseconds=500)


@dataclass(frozen=True)
class Part:
    """The part of an operation that a permit is for. `resource_id` None: its resource is the operation's."""

    op: str
    resource_id: UUID | None = None


def for_instance(operation: Operation, instance: Instance, *, gets: Iterable[DataSource] = ()) -> CallAuthorization:
    """Authorize a call for an instance. `gets`: new sources of its data, besides those of its volumes.

    The errors are the same for the other functions.

    Raises:
        NoAllocation, PolicyUnsatisfiable, FleetChanged: the result of placement now.
        StepPending: the signer has not answered.
        NodeOutOfService: the node's admin state forbids it.
        CloudError: the signer's refusal.
    """

    def make_request() -> PlacementRequest:
        volumes = Attachment.objects.filter(instance=instance).values_list("volume_id", flat=True)
        return instance_with_volumes_request(instance, volumes, operation=operation.kind, gets=gets)

    return _authorize(
        operation, placement.call_authorization(instance.pk), make_request, generation=instance.generation
    )


def for_volume(
    operation: Operation, volume: Volume, *, op: str | None = None, is_of_cluster: bool = False
) -> CallAuthorization:
    """Authorize a call for a volume.

    `op`: of the permit, if it is not the operation's kind. `is_of_cluster`: the call goes to the storage agent, and the
    node may not answer.
    """
    make_request = partial(volume_placement_request, volume, operation=op or operation.kind)
    authorization = placement.call_authorization(volume.pk)
    part, calls_node = Part(op or operation.kind, volume.pk), not is_of_cluster
    return _authorize(
        operation, authorization, make_request, generation=volume.generation, part=part, calls_node=calls_node
    )


def for_volume_move(operation: Operation, volume_move: VolumeMove) -> CallAuthorization:
    """Authorize the copy of a volume, by the decision of the allocation at its destination."""
    return _authorize(
        operation,
        placement.call_authorization(volume_move.pk),
        partial(volume_move_request, volume_move),
        generation=volume_move.generation,
    )


def for_volume_departure(operation: Operation, volume_move: VolumeMove) -> CallAuthorization:
    """Authorize the source to send the volume. It uses a decision about the destination, as for_departure()."""
    return _authorize(
        operation,
        replace(placement.call_authorization(volume_move.pk), node=volume_move.source),
        partial(volume_move_request, volume_move),
        generation=volume_move.generation,
        part=Part(SEND),
    )


def for_snapshot(operation: Operation, snapshot: Snapshot) -> CallAuthorization:
    """Authorize a call to the storage agent for a snapshot, which is decided where its volume has the allocation."""
    make_request = partial(snapshot_placement_request, snapshot, operation=operation.kind)
    authorization = placement.call_authorization(snapshot.volume_id)
    return _authorize(operation, authorization, make_request, generation=snapshot.generation, calls_node=False)


def for_instance_snapshots(operation: Operation, instance: Instance, volumes: Sequence[UUID]) -> CallAuthorization:
    """Authorize the calls to storage agents for snapshots of these volumes, all decided with the instance's node."""
    make_request = partial(snapshots_placement_request, instance, volumes)
    authorization = placement.call_authorization(instance.pk)
    return _authorize(operation, authorization, make_request, generation=instance.generation, calls_node=False)


def for_image(operation: Operation, image: Image, source: Source) -> CallAuthorization:
    """Authorize a call to the storage agent for an image made of the source, decided where the volume is allocated."""
    make_request = partial(image_placement_request, image, source, operation=operation.kind)
    authorization = placement.call_authorization(volume_of(source).pk)
    return _authorize(operation, authorization, make_request, generation=image.generation, calls_node=False)


def for_attachment(operation: Operation, attachment: Attachment) -> CallAuthorization:
    make_request = partial(attachment_request, attachment, operation=operation.kind)
    authorization = placement.call_authorization(attachment.holder_id)
    return _authorize(operation, authorization, make_request, generation=attachment.volume.generation)


def for_arrival(operation: Operation, migration: Migration) -> CallAuthorization:
    """Authorize the incoming migration, by the decision of the allocation there."""
    return _authorize(
        operation, _destination(migration), partial(migration_request, migration), generation=migration.generation
    )


def for_departure(operation: Operation, migration: Migration) -> CallAuthorization:
    """Authorize the source to send the guest.

    It uses a decision about the destination that is still valid: a guest that is not admitted there any more is not
    sent.
    """
    authorization = replace(_destination(migration), node=migration.source)
    generation = migration.instance.generation
    return _authorize(
        operation, authorization, partial(migration_request, migration), generation=generation, part=Part(MIGRATE_OUT)
    )


def _destination(migration: Migration) -> CallAuthorization:
    return placement.call_authorization(migration.pk)


def _authorize(
    operation: Operation,
    authorization: CallAuthorization,
    make_request: Callable[[], PlacementRequest],
    *,
    generation: int,
    part: Part | None = None,
    calls_node: bool = True,
) -> CallAuthorization:
    """Request the permit.

    `part`: None: the permit is for the whole operation. `calls_node`: the node checks it, and needs trust documents.
    """
    agent_client.require_not_abandoned(authorization.node)
    require_in_service(authorization.node, operation.kind)
    part = part or Part(_usual_op(operation))
    key = PermitKey(operation, part.op, authorization.node.pk, generation, part.resource_id)
    issued = permits.find_valid(key)
    if issued is None:
        try:
            issued = permits.obtain_permit(key, decide=partial(_decision, key, make_request, authorization))
        except SignerSilent as exc:
            if clock.now() >= operation.deadline_at:
                raise
            raise StepPending(f"waits for the {exc.facts['process']}", delay=SIGNER_RETRY_DELAY) from exc
    if calls_node and authorization.node.facts_epoch < issued.epoch:
        send_trust(authorization.node)
    return replace(
        authorization,
        permit=issued.document,
        sentinel_signature=issued.sentinel_signature,
        policies=issued.policies,
        jti=issued.jti,
    )


def _usual_op(operation: Operation) -> str:
    """Return the action of the operation's permits: a relocation is permitted as the migration that it is on nodes."""
    return MOVE if operation.kind == RELOCATION else operation.kind


def _decision(key: PermitKey, make_request: Callable[[], PlacementRequest], authorization: CallAuthorization) -> UUID:
    """Return the decision of the operation's claim, or a new one."""
    operation = key.operation
    claimed = Decision.objects.select_related("project").defer("document").get(pk=authorization.decision_id)
    is_ours = claimed.operation == PART_OF.get(key.op, key.op) and claimed.created_at >= operation.created_at
    cache_key = assessment_cache.read_versions(claimed.project.organization_id, claimed.consumer_id)
    if is_ours and permits.is_current(claimed, cache_key.standing):
        return claimed.pk
    return placement.renew_decision(replace(make_request(), operation_id=operation.pk)).pk


def request_permit_ahead(
    operation: Operation, allocation: Allocation, *, generation: int, op: str | None = None
) -> None:
    """Request the next step's permit as soon as the allocation exists: the signer works while rows are written."""
    permits.request_permit(
        PermitKey(operation, op or _usual_op(operation), allocation.node_id, generation),
        decide=lambda: allocation.decision_id,
    )


def send_trust(node: Node) -> None:
    """Send the node the trust documents that it lacks, without waiting for its next heartbeat."""
    request = trust_documents.pending_update(node)
    if request is None:
        return
    try:
        state = agent_client.ensure_trust(node, request)
    except NodeRefused as exc:
        if exc.facts.get("agent_code") != TRUST_OLDER:
            raise
        log.info("node %s has newer trust documents: another worker sent them meanwhile", node.name)
    else:
        trust_documents.record_trust_state(node, state)


@contextmanager
def using_permit(authorization: CallAuthorization) -> Iterator[None]:
    """Invalidate a permit that its node rejects, so that it is not used again.

    If the node lacks the trust documents for the check, as after its disk was replaced, it gets all of them, and the
    next permit will do.

    Raises:
        NodeNotTrusting: in that case.
    """
    try:
        yield
    except (NodeFailed, NodeRefused) as exc:
        code = invalidate_rejected(authorization, exc)
        if not code:
            raise
        trust_documents.record_trust_state(authorization.node, pb.TrustState())
        send_trust(authorization.node)
        raise NodeNotTrusting(reason=exc.facts.get("reason"), agent_code=code) from exc


def invalidate_rejected(authorization: CallAuthorization, error: CloudError) -> str:
    """Invalidate the permit if the agent's error rejects it.

    Return the agent's code if the agent lacks trust documents for the check; empty: the error has another cause.
    """
    code = str(error.facts.get("agent_code"))
    if authorization.jti is None or not code.startswith(PERMIT_REFUSED):
        return ""
    permits.invalidate(authorization.jti)
    return code if code.removeprefix(PERMIT_REFUSED) in RECOVERABLE_REFUSALS else ""
