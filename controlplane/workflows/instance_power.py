"""Start, shut down, power off, reboot and reset an instance: one changed spec each, for its node to apply."""

from collections.abc import Callable
from datetime import timedelta

from agents.protocol import agent_pb2 as pb
from controlplane.compute.errors import GuestDidNotStop
from controlplane.compute.models import INSTANCE, Instance
from controlplane.kernel import clock
from controlplane.kernel.db import move
from controlplane.operations.models import Operation
from controlplane.placement import services as placement
from controlplane.workflows import node_steps, step_permits
from controlplane.workflows.workflow_types import Step, StepPending, Workflow

RETRY_DELAY = timedelta(seconds=2)


def start(operation: Operation) -> None:
    _run(operation)


def power_off(operation: Operation) -> None:
    _stop(operation, pb.POWER_OFF)


def reboot(operation: Operation) -> None:
    _run(operation, restart=pb.RESTART_KIND_REBOOT)


def reset(operation: Operation) -> None:
    _run(operation, restart=pb.RESTART_KIND_RESET)


def shut_down(operation: Operation) -> None:
    """Request a shutdown until the operation's deadline: a guest may not listen yet, or take its time."""
    if _stop(operation, pb.POWER_SHUTDOWN).power in (pb.POWER_OFF, pb.POWER_CRASHED):
        return
    if clock.now() >= operation.deadline_at:
        raise GuestDidNotStop(limit_s=int(operation.limit.total_seconds()))
    raise StepPending("the guest still runs", delay=RETRY_DELAY)


def _run(operation: Operation, *, restart: "pb.RestartKind" = pb.RESTART_KIND_UNSPECIFIED) -> None:
    """Check placement again, since a guest that was off may not be allowed there any more."""
    instance = _instance(operation)
    authorization = step_permits.for_instance(operation, instance)
    node_steps.reopen_disks(authorization, instance)
    node_steps.ensure_instance(authorization, instance, power=pb.POWER_RUNNING, restart=restart)


def _stop(operation: Operation, power: "pb.Power") -> pb.InstanceState:
    """Stop the guest. Stopping is always allowed, so it needs no permit. On a fenced node the guest is off already."""
    instance = _instance(operation)
    if instance.node is not None and instance.node.admin_state == "fenced":
        return pb.InstanceState(power=pb.POWER_OFF)
    return node_steps.ensure_instance(placement.call_authorization(instance.pk), instance, power=power)


def _instance(operation: Operation) -> Instance:
    return Instance.objects.select_related("project", "image", "affinity_group", "node", "root_pool").get(
        pk=operation.resource_id
    )


def becomes(state: str, power_state: str) -> Callable[[Operation], None]:
    def on_success(operation: Operation) -> None:
        instance = Instance.objects.get(pk=operation.resource_id)
        observed = {"last_error": None, "power_state": power_state, "power_state_at": clock.now()}
        if power_state == "running":
            observed["power_reason"] = ""  # of the guest's last end; a stop of a guest that crashed keeps the reason
        if instance.state == state:
            Instance.objects.filter(pk=instance.pk).update(**observed)
        else:
            move(instance, INSTANCE, state, **observed)

    return on_success


def on_failure(operation: Operation, error: dict[str, object]) -> None:
    """Keep the state as it was: the node reports what the guest does now."""
    Instance.objects.filter(pk=operation.resource_id).update(last_error=error)


def _workflow(kind: str, step: Step, on_success: Callable[[Operation], None]) -> Workflow:
    return Workflow(kind, lambda operation: (step,), on_success, on_failure)


WORKFLOWS = (
    _workflow("instance.start", Step("start", start), becomes("active", "running")),
    _workflow("instance.shutdown", Step("shut-down", shut_down), becomes("stopped", "off")),
    _workflow("instance.power-off", Step("power-off", power_off), becomes("stopped", "off")),
    _workflow("instance.reboot", Step("reboot", reboot), becomes("active", "running")),
    _workflow("instance.reset", Step("reset", reset), becomes("active", "running")),
)
