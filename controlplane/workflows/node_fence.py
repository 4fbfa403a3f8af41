"""Fence a node by power: its BMC switches it off, and confirms that twice.

A single Off of a BMC proves little: some report it too early, and some switch the machine on again, after a policy of
their own. So its power state is read again after SETTLE, and only then is the node fenced. `args`: boot_id, of the boot
that is ended.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from andromede_core.documents.messages import Message
from controlplane.identity.actor import SYSTEM
from controlplane.kernel import clock
from controlplane.node_lifecycle.fencing import bmcs, fencing
from controlplane.nodes.errors import NodeNotFenceable, PowerNotOff
from controlplane.nodes.models import Node
from controlplane.operations.models import Operation
from controlplane.workflows.workflow_types import Step, StepPending, Workflow

OFF = "Off"
POLL_DELAY = timedelta(seconds=2)
SETTLE = timedelta(seconds=10)
WAIT_FOR_OFF = "see-off"


def steps(operation: Operation) -> Sequence[Step]:
    return (Step("power-off", power_off), Step(WAIT_FOR_OFF, wait_for_off), Step("see-off-again", confirm_off))


def power_off(operation: Operation) -> None:
    bmcs.power_off(_silent(operation))


def wait_for_off(operation: Operation) -> None:
    node = _silent(operation)
    state = bmcs.power_state(node)
    if state == OFF:
        return
    if clock.now() > operation.deadline_at:
        raise PowerNotOff(reason=Message("it still reports {state}", state=state))
    raise StepPending(f"Its BMC says {state}.", delay=POLL_DELAY)


def confirm_off(operation: Operation) -> None:
    node = _silent(operation)
    wait = _off_since(operation) + SETTLE - clock.now()
    if wait > timedelta(0):
        raise StepPending("Its BMC says Off, and is asked again.", delay=wait)
    state = bmcs.power_state(node)
    if state != OFF:
        raise PowerNotOff(
            reason=Message("it reported Off, then {state}: something switches the node on again", state=state)
        )


def _off_since(operation: Operation) -> datetime:
    (entry,) = (each for each in operation.steps if each["name"] == WAIT_FOR_OFF)
    return datetime.fromisoformat(entry["finished_at"])


def _silent(operation: Operation) -> Node:
    """Return the node; raises NodeNotFenceable if it is reachable: then it must not be switched off."""
    node = node_of(operation)
    if node.state == "ready":
        raise NodeNotFenceable(node=node.name, reason=fencing.REACHABLE)
    return node


def node_of(operation: Operation) -> Node:
    return Node.objects.get(pk=operation.resource_id)


def on_success(operation: Operation) -> None:
    node = node_of(operation)
    actor = replace(
        SYSTEM, user_id=operation.user_id, credential_id=operation.credential_id, request_id=operation.request_id
    )
    detail = {
        "bmc": bmcs.bmc_get(node).address,
        "power_state": OFF,
        "off_since": _off_since(operation).isoformat(),
        "confirmed_at": clock.now().isoformat(),
    }
    fencing.record_fence_evidence(
        actor, node, kind="power", reason=operation.reason, detail=detail, operation_id=operation.pk
    )


def on_failure(operation: Operation, error: dict[str, object]) -> None:
    """Do nothing: no row of the node has changed."""


WORKFLOW = Workflow("node.fence", steps, on_success, on_failure)
