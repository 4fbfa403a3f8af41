"""Force finish: operators end an operation that waits for a node that does not come back.

The request only records on the operation that the node is abandoned. A worker then runs the operation's own workflow to
its end as it runs all others, outside any transaction, except that it does not call this node
(agent_client.ignoring_node). Resources that may still be on the node are recorded as pending removals. A dry run
therefore makes no call to any node.
"""

from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from django.db import transaction
from django.db.models import Q

from andromede_core.documents.messages import Message
from controlplane.audit import evidence_log
from controlplane.audit.models import Kind
from controlplane.audit.services import record
from controlplane.identity.actor import Actor
from controlplane.kernel import clock
from controlplane.nodes.models import Node, NodeRemoval
from controlplane.operations import leases, wakeups
from controlplane.operations.errors import NotResolvable
from controlplane.operations.models import LIVE, Operation
from controlplane.operations.selectors import STUCK_ATTEMPTS, current_step_error, stuck
from controlplane.placement.models import Allocation

# A node that was unreachable for less time may come back, and a guest on it may run.
UNREACHABLE_FOR = timedelta(minutes=10)


@dataclass(frozen=True)
class Resolution:
    """The operation, its abandoned node, and the pending removals from that node so far.

    The remaining steps add to the pending removals.
    """

    operation: Operation
    node: Node
    removals: list[NodeRemoval]


@transaction.atomic
def operation_force_finish(actor: Actor, operation: Operation, *, reason: str) -> Resolution:
    """Abandon the unreachable node that the operation waits for, and make the operation due.

    Raises:
        NotResolvable: no evidence that the operation is stuck for good, or a worker retries it now; no change was made.
    """
    actor.may_operate()
    _need_stuck(operation)
    node = _silent_node(operation)
    leased = _lease(operation)
    _record(actor, leased, node, reason)
    transaction.on_commit(partial(wakeups.send, operation.pk), robust=True)
    operation.refresh_from_db()
    removals = NodeRemoval.objects.filter(node=node, resource_id__in=operation.resource_ids).order_by("kind", "pk")
    return Resolution(operation, node, list(removals))


def _need_stuck(operation: Operation) -> None:
    if operation.state not in LIVE:
        raise NotResolvable(reason=Message("it has ended."))
    if not Operation.objects.filter(stuck(), pk=operation.pk).exists():
        raise NotResolvable(
            reason=Message(
                "it may still end on its own. It counts as stuck after {needed} failed attempts of a step ({attempts} "
                "so far) if it is also being undone, cannot be cancelled, or is past its deadline.",
                needed=STUCK_ATTEMPTS,
                attempts=operation.attempts,
            )
        )


def _silent_node(operation: Operation) -> Node:
    """Return the long unreachable node that has, or is to have, the operation's resource.

    The node may become reachable at any moment: the pending removals are carried out then.
    """
    ids = operation.resource_ids
    places = Allocation.objects.filter(Q(consumer_id__in=ids) | Q(moving_id__in=ids)).values("node")
    nodes = list(Node.objects.filter(pk__in=places).order_by("pk"))
    if not nodes:
        raise NotResolvable(
            reason=Message(
                "it has nothing on a node, and so waits for none: {obstacle} The workers' log has the details.",
                obstacle=current_step_error(operation),
            )
        )
    silent = [each for each in nodes if each.state == "unreachable"]
    if len(silent) > 1:
        raise NotResolvable(
            reason=Message(
                "the nodes {node} are both unreachable, so it is not known which of them runs the guest. Bring one of "
                "them back.",
                node=", ".join(each.name for each in silent),
            )
        )
    if not silent:
        raise NotResolvable(
            reason=Message(
                "the node {node} is reachable, and its guests may still run. Repair it, or switch it off if it is to "
                "be abandoned.",
                node=", ".join(each.name for each in nodes),
            )
        )
    node = silent[0]
    if node.last_heartbeat_at is not None and node.last_heartbeat_at > clock.now() - UNREACHABLE_FOR:
        raise NotResolvable(
            reason=Message(
                "the node {node} has been unreachable for less than {minutes} minutes, and may come back.",
                node=node.name,
                minutes=int(UNREACHABLE_FOR.total_seconds() // 60),
            )
        )
    return node


def _lease(operation: Operation) -> Operation:
    Operation.objects.filter(pk=operation.pk).update(due_at=clock.now())
    leased = leases.lease_operation(operation.pk)
    if leased is None:
        raise NotResolvable(reason=Message("a worker is executing it. Try again in a minute."))
    return leased


def _record(actor: Actor, operation: Operation, node: Node, reason: str) -> None:
    """Abandon the node and take the lease.

    The decision is recorded in the operation's steps, the audit, the events and the evidence."""
    error, now = current_step_error(operation), clock.now().isoformat()
    step = {"name": "resolve", "state": "done", "attempts": 1, "started_at": now, "finished_at": now, "message": reason}
    leases.commit_step(
        operation,
        steps=[*operation.steps, step],
        attempts=0,
        due_at=clock.now(),
        abandoned_node_id=node.pk,
        **leases.NO_LEASE,
    )
    facts = {
        "operation": operation.kind,
        "operation_id": str(operation.pk),
        "node": str(node.pk),
        "obstacle": error,
        "reason": reason,
    }
    noun = operation.kind.partition(".")[0]
    record(
        actor, "operation.resolve", operation.resource_id, project_id=operation.project_id, resource_kind=noun, **facts
    )
    evidence_log.append(
        Kind.INCIDENT,
        {"incident": "operation-resolved", "by": str(actor.user_id), "resource": str(operation.resource_id), **facts},
        organization_id=operation.project.organization_id if operation.project else None,
        project_id=operation.project_id,
        resource_id=operation.resource_id,
    )
