"""Actions of volumes and snapshots, each with the error that it would give now."""

from collections.abc import Callable, Mapping
from typing import Any

from controlplane.compute.selectors import attached_to
from controlplane.compute.volume_reverts import check_revert, require_guest_off
from controlplane.kernel.errors import CloudError
from controlplane.operations.services import require_unlocked
from controlplane.storage.errors import VolumeInUse
from controlplane.storage.models import Snapshot, Volume
from controlplane.storage.services import require_no_snapshots, require_volume_state
from controlplane.storage.snapshot_sources import require_snapshot_available
from controlplane.storage.snapshots import require_new_snapshots, require_no_readers, require_snapshots

VOLUME_ACTIONS = ("snapshot", "revert", "delete")
SNAPSHOT_ACTIONS = ("create-volume", "revert", "delete")


def volume_actions(volume: Volume) -> list[dict[str, Any]]:
    """Return each of VOLUME_ACTIONS as in ActionOut."""
    return _actions(dict(zip(VOLUME_ACTIONS, (_can_snapshot, _can_revert, _can_delete), strict=True)), volume)


def snapshot_actions(snapshot: Snapshot) -> list[dict[str, Any]]:
    """Return each of SNAPSHOT_ACTIONS as in ActionOut."""
    checks = (require_snapshot_available, _can_revert_to, require_no_readers)
    return _actions(dict(zip(SNAPSHOT_ACTIONS, checks, strict=True)), snapshot)


def _actions(checks: Mapping[str, Callable[[Any], None]], row: Volume | Snapshot) -> list[dict[str, Any]]:
    problems = {name: _problem(check, row) for name, check in checks.items()}
    return [{"name": name, "is_allowed": problem is None, "problem": problem} for name, problem in problems.items()]


def _problem(check: Callable[[Any], None], row: Volume | Snapshot) -> dict[str, object] | None:
    try:
        check(row)
    except CloudError as exc:
        return exc.as_document()
    return None


def _can_snapshot(volume: Volume) -> None:
    require_unlocked(volume.pk)
    require_volume_state(volume, "available", "in-use")
    require_new_snapshots(volume)


def _can_revert(volume: Volume) -> None:
    require_unlocked(volume.pk)
    require_snapshots(volume)
    require_volume_state(volume, "available", "in-use")
    require_guest_off(volume)


def _can_delete(volume: Volume) -> None:
    if (instance := attached_to(volume.pk)) is not None:
        raise VolumeInUse(instance=str(instance))
    require_no_snapshots(volume)


def _can_revert_to(snapshot: Snapshot) -> None:
    require_unlocked(snapshot.volume_id)
    require_unlocked(snapshot.pk)
    check_revert(snapshot.volume, snapshot)
