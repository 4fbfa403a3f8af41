"""Attach a port to an instance, running or not, and detach it again.

The port is ensured on the node before the guest gets its card, and removed there after the guest has lost it. The way
back uses the next generation: a worker that slept is outdated.
"""

from collections.abc import Callable, Sequence
from uuid import UUID

from controlplane.compute.models import Instance
from controlplane.compute.port_attachments import raise_generations
from controlplane.kernel import clock
from controlplane.kernel.errors import CloudError
from controlplane.network.models import Port
from controlplane.network.port_specs import port_spec
from controlplane.network.ports import port_release
from controlplane.operations.models import Operation
from controlplane.workflows import node_steps, step_permits
from controlplane.workflows.workflow_types import Effect, Step, Workflow


def attach_steps(operation: Operation) -> Sequence[Step]:
    return (Step("port", ensure_port, undo=remove_port), Step("plug", plug, undo=pull_out))


def attach_finish(operation: Operation) -> None:
    """Do nothing: the rows name the instance since the request."""


def attach_give_up(operation: Operation, error: dict[str, object]) -> None:
    """Free the port, unless the deletion of the instance does so, or its guest could not lose the card again."""
    port = _port(operation)
    if port.last_error is None and not _instance(operation).is_deleting:
        port_release(port)


def detach_steps(operation: Operation) -> Sequence[Step]:
    return (Step("unplug", unplug, undo=restore_card), Step("remove-port", remove_port, undo=restore_port))


def detach_finish(operation: Operation) -> None:
    port_release(_port(operation))


def detach_give_up(operation: Operation, error: dict[str, object]) -> None:
    """Do nothing: the port stays attached, also where the node refuses to get it back, since the guest may still have
    the card. The port's last_error has the refusal.
    """


def ensure_port(operation: Operation) -> None:
    instance = _instance(operation)
    authorization = step_permits.for_instance(operation, instance)
    node_steps.ensure_port(authorization, port_spec(_port_id(operation)), hostname=instance.name)


def remove_port(operation: Operation) -> Effect | None:
    """Remove the port from the node. The deletion of an instance includes it."""
    instance, port = _instance(operation), _port(operation)
    if instance.is_deleting or port.last_error is not None:
        return None
    return node_steps.remove(instance.node, kind="port", resource_id=port.pk, generation=port.generation)


def plug(operation: Operation) -> None:
    _send(operation, without=None)


def unplug(operation: Operation) -> None:
    """Take the card out. A running guest must release it; until then the node answers with an error."""
    _send(operation, without=_port_id(operation))


def pull_out(operation: Operation) -> Effect | None:
    """Undo an attachment. If the node may not run the guest any more, it keeps the card."""
    return _turn_back(operation, unplug)


def restore_port(operation: Operation) -> Effect | None:
    """Undo the removal of the port: a new generation cancels it."""
    return _turn_back(operation, ensure_port)


def restore_card(operation: Operation) -> Effect | None:
    """Undo a detachment. If the node may not run the guest any more, the card stays as it is there."""
    return _turn_back(operation, plug)


def _turn_back(operation: Operation, call: Callable[[Operation], None]) -> Effect | None:
    """Call the node with the next generation; a refusal is the port's last_error."""
    if _instance(operation).is_deleting:
        return None
    _move_on(operation)
    try:
        call(operation)
    except CloudError as exc:
        if exc.retryable:
            raise
        error = exc.as_document()
        return lambda: _record_error(operation, error)
    return None


def _send(operation: Operation, *, without: UUID | None) -> None:
    instance = _instance(operation)
    node_steps.ensure_cards(step_permits.for_instance(operation, instance), instance, without=without)


def _move_on(operation: Operation) -> None:
    raise_generations(operation.resource_id, _port_id(operation), operation.args["generation"] + 1)


def _record_error(operation: Operation, error: dict[str, object]) -> None:
    Port.objects.filter(pk=_port_id(operation)).update(last_error=error, updated_at=clock.now())


def _instance(operation: Operation) -> Instance:
    rows = Instance.objects.select_related("project", "image", "node", "affinity_group")
    return rows.get(pk=operation.resource_id)


def _port(operation: Operation) -> Port:
    return Port.objects.get(pk=_port_id(operation))


def _port_id(operation: Operation) -> UUID:
    return UUID(operation.args["port"])


ATTACH = Workflow("port.attach", attach_steps, attach_finish, attach_give_up)
DETACH = Workflow("port.detach", detach_steps, detach_finish, detach_give_up, retries_forever=True)
