"""Have an operation end that cannot end by itself, since a node that it needs does not come back. For operators.

It is no second way to end anything: the operation's own workflow runs to its end, here and now, with the one difference
that the node is not waited for (agent_client.without). What may still be on it is written down to be removed when it is
back. All of it is one transaction, so that what is tried with dry_run is what would be.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.db.models import Q

from controlplane.audit import evidence
from controlplane.audit.models import Kind
from controlplane.audit.services import record
from controlplane.identity.actor import Actor
from controlplane.kernel import clock
from controlplane.kernel.reasons import Reason
from controlplane.nodes import agent_client
from controlplane.nodes.models import Node, NodeRemoval
from controlplane.operations import leases
from controlplane.operations.errors import NotResolvable
from controlplane.operations.models import LIVE, Operation
from controlplane.operations.selectors import STUCK_ATTEMPTS, obstacle, stuck
from controlplane.placement.models import Allocation
from controlplane.workflows import engine
from controlplane.workflows.registry import WORKFLOWS

# A node that was silent for less may be on its way back, and a guest on it may be at work.
SILENT_FOR = timedelta(minutes=10)


@dataclass(frozen=True)
class Resolution:
    """How the operation has ended, the node that was given up, and what is to be removed from it when it is back."""

    operation: Operation
    node: Node
    removals: list[NodeRemoval]


@transaction.atomic
def operation_resolve(actor: Actor, operation: Operation, *, reason: str) -> Resolution:
    """
    Raises:
        NotResolvable: there is no evidence that it is stuck for good, or it does not end without the node either;
            nothing was changed.
    """
    actor.may_operate()
    _need_stuck(operation)
    node = _silent_node(operation)
    leased = _lease(operation)
    before = set(_removals(node))
    _tell(actor, leased, node, reason)
    with agent_client.without(node):
        engine.run(leased, WORKFLOWS[leased.kind])
    if leased.finished_at is None:
        raise NotResolvable(
            reason=Reason("it does not end without the node either: {obstacle}", obstacle=obstacle(leased))
        )
    operation.refresh_from_db()
    return Resolution(operation, node, [each for each in _removals(node) if each not in before])


def _removals(node: Node) -> Iterator[NodeRemoval]:
    return NodeRemoval.objects.filter(node=node).order_by("kind", "pk").iterator()


def _need_stuck(operation: Operation) -> None:
    if operation.state not in LIVE:
        raise NotResolvable(reason=Reason("it has ended."))
    if not Operation.objects.filter(stuck(), pk=operation.pk).exists():
        raise NotResolvable(
            reason=Reason(
                "it may still end by itself. It is stuck when {needed} tries of a step have failed ({attempts} have) "
                "and it is being undone, cannot be cancelled, or is past its deadline.",
                needed=STUCK_ATTEMPTS,
                attempts=operation.attempts,
            )
        )


def _silent_node(operation: Operation) -> Node:
    """The node that has what the operation is about, or is to have it, and is silent for long. It stays so until the
    caller's transaction ends: its next heartbeat waits for that."""
    ids = operation.resource_ids
    places = Allocation.objects.filter(Q(consumer_id__in=ids) | Q(moving_id__in=ids)).values("node")
    nodes = list(Node.objects.select_for_update(no_key=True).filter(pk__in=places).order_by("pk"))
    if not nodes:
        raise NotResolvable(
            reason=Reason(
                "nothing of it is on a node, so it does not wait for one: {obstacle} The workers' log says more.",
                obstacle=obstacle(operation),
            )
        )
    silent = [each for each in nodes if each.state == "unreachable"]
    if len(silent) > 1:
        raise NotResolvable(
            reason=Reason(
                "the nodes {node} are both silent, and nobody can tell on which of them its guest runs. Bring one of "
                "them back.",
                node=", ".join(each.name for each in silent),
            )
        )
    if not silent:
        raise NotResolvable(
            reason=Reason(
                "the node {node} is heard, and what is on it may be at work. Mend it; or switch it off, if it is to be "
                "given up.",
                node=", ".join(each.name for each in nodes),
            )
        )
    node = silent[0]
    if node.last_heartbeat_at is not None and node.last_heartbeat_at > clock.now() - SILENT_FOR:
        raise NotResolvable(
            reason=Reason(
                "the node {node} has not been silent for {minutes} minutes yet, and may come back.",
                node=node.name,
                minutes=int(SILENT_FOR.total_seconds() // 60),
            )
        )
    return node


def _lease(operation: Operation) -> Operation:
    Operation.objects.filter(pk=operation.pk).update(due_at=clock.now())
    leased = leases.take_lease(operation.pk)
    if leased is None:
        raise NotResolvable(reason=Reason("a worker tries it at this moment. Ask again in a minute."))
    return leased


def _tell(actor: Actor, operation: Operation, node: Node, reason: str) -> None:
    """In the operation's steps, the audit, the events and the evidence."""
    found, now = obstacle(operation), clock.now().isoformat()
    step = {"name": "resolve", "state": "done", "attempts": 1, "started_at": now, "finished_at": now, "message": reason}
    leases.checkpoint(operation, steps=[*operation.steps, step])
    said = {
        "operation": operation.kind,
        "operation_id": str(operation.pk),
        "node": str(node.pk),
        "obstacle": found,
        "reason": reason,
    }
    noun = operation.kind.partition(".")[0]
    record(
        actor, "operation.resolve", operation.resource_id, project_id=operation.project_id, resource_kind=noun, **said
    )
    evidence.append(
        Kind.INCIDENT,
        {"incident": "operation-resolved", "by": str(actor.user_id), "resource": str(operation.resource_id), **said},
        organization_id=operation.project.organization_id if operation.project else None,
        project_id=operation.project_id,
        resource_id=operation.resource_id,
    )
