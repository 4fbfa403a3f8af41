"""Instance actions by state: the one table from which services refuse actions and the API lists the allowed ones."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from andromede_core.documents.messages import Message, either
from controlplane.compute.errors import BootsFromVolume, InstanceWrongState, RootVolumeHasSnapshots
from controlplane.compute.models import Instance
from controlplane.compute.root_volumes import require_root_deletable
from controlplane.compute.snapshot_disks import NamedDisks, no_disk_refusal
from controlplane.kernel.errors import CloudError
from controlplane.operations.errors import Busy
from controlplane.operations.models import Operation, ResourceLock
from controlplane.storage.errors import VolumeReadForImage

STATES: Mapping[str, tuple[str, ...]] = {
    "start": ("stopped", "error"),
    "shutdown": ("active",),
    "power-off": ("active", "error"),
    "reboot": ("active",),
    "reset": ("active",),
    "resize": ("stopped",),
    "relocate": ("stopped",),
    "rebuild": ("active", "stopped"),
    "attach": ("active", "stopped"),
    "detach": ("active", "stopped"),
    "attach-port": ("active", "stopped"),
    "detach-port": ("active", "stopped"),
    "snapshot": ("active", "stopped"),
}
# These lock the volume and not the instance, so they wait for no operation of the instance but a migration, which
# locks all of its volumes.
UNAFFECTED_BY_MIGRATION = frozenset({"attach", "detach"})
# Kinds of operations after which the guest has started anew.
RESTARTS = ("instance.reboot", "instance.reset")
STARTS = ("instance.start", *RESTARTS)
REPLACE_ROOT = frozenset({"rebuild"})
NEED_SNAPSHOTS = frozenset({"snapshot"})
MOVE, EVACUATION, RELOCATION = "instance.migrate", "instance.evacuate", "instance.relocate"
MOVES = (MOVE, EVACUATION, RELOCATION)


def require_instance_state(instance: Instance, action: str) -> None:
    """Raise InstanceWrongState unless the instance is in a state for the action, and not being deleted.

    Raises:
        BootsFromVolume: the action would replace a root volume that is kept.
        DisksWithoutSnapshots: it needs a disk that can have snapshots.
    """
    refusal = _refusal(instance, action)
    if refusal is not None:
        raise refusal


def require_state_in(instance: Instance, states: tuple[str, ...]) -> None:
    """Raise InstanceWrongState unless the instance is in one of the states, and not being deleted."""
    refusal = _wrong_state(instance, states)
    if refusal is not None:
        raise refusal


def require_not_migrating(instance: Instance) -> None:
    """Raise Busy while the instance migrates. A caller that holds its row lock keeps it on its node."""
    holds = ResourceLock.objects.filter(resource_id=instance.pk, operation__kind__in=MOVES).select_related("operation")
    for hold in holds:
        raise Busy(kind=hold.operation.kind, blocking_operation=str(hold.operation_id))


def require_not_relocating(instance_id: UUID) -> None:
    """Raise Busy while the instance moves to another zone. A caller that holds the lock of a port of it prevents that.

    The request locks the ports of the instance, and checks what is routed to them.
    """
    holds = ResourceLock.objects.filter(resource_id=instance_id, operation__kind=RELOCATION)
    for hold in holds.select_related("operation"):
        raise Busy(kind=hold.operation.kind, blocking_operation=str(hold.operation_id))


def allowed(instance: Instance, held_by: UUID | str | None, *, disks: NamedDisks) -> list[dict[str, Any]]:
    """Return each action as in ActionOut. `held_by`: the operation that works on the instance, if any.

    `disks`: its volumes, as representations.instance_details() has them.
    """
    operation = None if held_by is None else Operation.objects.only("kind").filter(pk=held_by).first()
    busy = None if operation is None else Busy(kind=operation.kind, blocking_operation=str(operation.pk))
    unaffected = () if operation is not None and operation.kind in MOVES else UNAFFECTED_BY_MIGRATION
    actions = []
    for action in STATES:
        refusal: CloudError | None = None if action in unaffected else busy
        refusal = refusal or _refusal(instance, action, disks) or _needed_by(instance, action)
        problem = None if refusal is None else refusal.as_document()
        actions.append({"name": action, "is_allowed": problem is None, "problem": problem})
    return actions


def _refusal(instance: Instance, action: str, disks: NamedDisks | None = None) -> CloudError | None:
    """Return the error of an action in the wrong state. `disks`: None: read them."""
    if action in REPLACE_ROOT and instance.boot_volume_id is not None and instance.keeps_root_volume:
        return BootsFromVolume(volume=str(instance.boot_volume_id))
    wrong_state = _wrong_state(instance, STATES[action])
    if wrong_state is not None or action not in NEED_SNAPSHOTS:
        return wrong_state
    return no_disk_refusal(instance, disks)


def _needed_by(instance: Instance, action: str) -> CloudError | None:
    """Return the error of an action that would delete a root volume with snapshots, or one that is read."""
    if action not in REPLACE_ROOT or instance.boot_volume is None:
        return None
    try:
        require_root_deletable(instance.boot_volume)
    except (RootVolumeHasSnapshots, VolumeReadForImage) as exc:
        return exc
    return None


def _wrong_state(instance: Instance, states: tuple[str, ...]) -> InstanceWrongState | None:
    if instance.state in states and not instance.is_deleting:
        return None
    state = Message("being deleted") if instance.is_deleting else instance.state
    return InstanceWrongState(state=state, wanted=either(*states))
