"""Actions of volumes and snapshots, each with the error that it would give now."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from controlplane.compute.models import Instance
from controlplane.compute.volume_moves import require_movable, require_usable
from controlplane.compute.volume_relocation import check_relocation
from controlplane.compute.volume_reverts import check_revert, instance_with, require_guest_off
from controlplane.kernel.errors import CloudError
from controlplane.operations.services import require_unlocked
from controlplane.storage.errors import VolumeInUse
from controlplane.storage.image_sources import Source, require_fits_image, require_image_source
from controlplane.storage.models import Snapshot, Volume
from controlplane.storage.services import require_no_snapshots, require_volume_state
from controlplane.storage.snapshot_sources import require_not_read, require_snapshot_available
from controlplane.storage.snapshots import require_new_snapshots, require_no_readers, require_snapshots

VOLUME_ACTIONS = ("snapshot", "revert", "move", "relocate", "delete", "image")
SNAPSHOT_ACTIONS = ("create-volume", "revert", "delete", "image")


def volume_actions(volume: Volume) -> list[dict[str, Any]]:
    """Return each of VOLUME_ACTIONS as in ActionOut."""
    busy = _problem(require_unlocked, volume.pk)
    snapshot, revert = busy or _problem(_can_snapshot, volume), busy or _problem(_can_revert, volume)
    holder = instance_with(volume)
    move = busy or _problem(require_usable, volume) or _problem(_require_idle, holder)
    delete = _problem(_require_detached, holder)
    needed = _problem(_require_not_needed, volume) if move is None or delete is None else None
    image = busy or _problem(_can_make_image, volume)
    relocate = busy or _problem(partial(check_relocation, volume), holder)
    return _actions(VOLUME_ACTIONS, snapshot, revert, move or needed, relocate, delete or needed, image)


def snapshot_actions(snapshot: Snapshot) -> list[dict[str, Any]]:
    """Return each of SNAPSHOT_ACTIONS as in ActionOut."""
    checks = (require_snapshot_available, _can_revert_to, require_no_readers, _can_make_image)
    return _actions(SNAPSHOT_ACTIONS, *(_problem(check, snapshot) for check in checks))


def _actions(names: Sequence[str], *problems: dict[str, object] | None) -> list[dict[str, Any]]:
    return [
        {"name": name, "is_allowed": problem is None, "problem": problem}
        for name, problem in zip(names, problems, strict=True)
    ]


def _problem(check: Callable[[Any], None], subject: object) -> dict[str, object] | None:
    try:
        check(subject)
    except CloudError as exc:
        return exc.as_document()
    return None


def _can_snapshot(volume: Volume) -> None:
    require_volume_state(volume, "available", "in-use")
    require_new_snapshots(volume)


def _can_revert(volume: Volume) -> None:
    require_snapshots(volume)
    require_volume_state(volume, "available", "in-use")
    require_guest_off(volume)


def _require_idle(holder: Instance | None) -> None:
    """Raise the errors of a move about the instance that has the volume, which the move locks too."""
    require_movable(holder)
    if holder is not None:
        require_unlocked(holder.pk)


def _require_detached(holder: Instance | None) -> None:
    if holder is not None:
        raise VolumeInUse(instance=str(holder.pk))


def _require_not_needed(volume: Volume) -> None:
    require_no_snapshots(volume)
    require_not_read(volume)


def _can_make_image(source: Source) -> None:
    require_image_source(source)
    require_fits_image(source)


def _can_revert_to(snapshot: Snapshot) -> None:
    require_unlocked(snapshot.volume_id)
    require_unlocked(snapshot.pk)
    check_revert(snapshot.volume, snapshot)
