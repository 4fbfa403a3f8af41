"""Acts on the types of volumes: moves between a node's own disk and the storage cluster, and other limits."""

import random
from typing import Any

from scripts.chaos.planned import PlannedRequest, Scene, in_state
from scripts.chaos.volume_types import PLACES, ZONE

MOVE = "volume.move"
LIVE = ("pending", "running")  # an operation that is being undone is cancelled already, or has failed


def move(scene: Scene, dice: random.Random) -> PlannedRequest | None:
    """Move a volume to a type of the other place: online where an instance runs with it, offline otherwise.

    One with snapshots would be refused; other refusals depend on what happens at the same time.
    """
    kept = {snapshot["volume"]["id"] for snapshot in scene.reader.listed("snapshots")}
    movable = [each for each in _retypable(scene) if each["zone"] == ZONE and each["id"] not in kept]
    if not movable:
        return None
    volume = dice.choice(movable)
    (there,) = (place for place in PLACES if volume["volume_type"] not in place)
    return _retype(volume, dice.choice(there), kind=MOVE)


def retype(scene: Scene, dice: random.Random) -> PlannedRequest | None:
    """Give a volume the limits of another type of its place, or its own type again."""
    volumes = _retypable(scene)
    if not volumes:
        return None
    volume = dice.choice(volumes)
    (here,) = (place for place in PLACES if volume["volume_type"] in place)
    return _retype(volume, dice.choice(here), kind="volume.retype")


def cancel(scene: Scene, dice: random.Random) -> PlannedRequest | None:
    """Cancel a move that is under way; begin one where there is none."""
    operations = [each for each in in_state(scene.reader.listed("operations"), *LIVE) if each["kind"] == MOVE]
    live = sorted(each["id"] for each in operations if each["cancellable"])
    if not live:
        return move(scene, dice)
    return PlannedRequest("POST", f"operations/{dice.choice(live)}/actions/cancel", "operation.cancel", {})


def _retypable(scene: Scene) -> list[dict[str, Any]]:
    """Return the volumes in one of the two places, in a fixed order."""
    types = {volume_type for place in PLACES for volume_type in place}
    settled = in_state(scene.volumes, "available", "in-use")
    return sorted((each for each in settled if each["volume_type"] in types), key=lambda each: str(each["id"]))


def _retype(volume: dict[str, Any], volume_type: str, *, kind: str) -> PlannedRequest:
    path, body = f"volumes/{volume['id']}/actions/retype", {"volume_type": volume_type}
    then = {"volume_type_id": volume_type}
    return PlannedRequest("POST", path, kind, body, resource=volume["id"], then=then)
