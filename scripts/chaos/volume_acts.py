"""Acts on the types of volumes: moves between a node's own disk and the storage cluster, and other limits."""

import random
from typing import Any

from scripts.chaos.planned import PlannedRequest, Scene, in_state
from scripts.chaos.volume_types import PLACES, ZONE

MOVE, RELOCATE = "volume.move", "volume.relocate"
# Number of volumes that are checked for one that can be relocated.
MOST_PLANS = 4
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


def relocate(scene: Scene, dice: random.Random) -> PlannedRequest | None:
    """Relocate a detached volume, after a preview, to a zone that admits it.

    It may have been attached or moved since the preview: then the request is refused.
    """
    detached = sorted(in_state(scene.volumes, "available"), key=lambda each: str(each["id"]))
    on_nodes = [each for each in detached if each["volume_type"] in PLACES[0]]
    for each in dice.sample(on_nodes, min(len(on_nodes), MOST_PLANS)):
        path = f"volumes/{each['id']}"
        plan = scene.reader.get(f"{path}/relocation-plan")
        admitted = [zone["zone"] for zone in plan["zones"] if zone["is_admitted"]] if plan else []
        if admitted:
            to = {"zone": dice.choice(sorted(admitted))}
            return PlannedRequest("POST", f"{path}/actions/relocate", RELOCATE, to, resource=each["id"], then=to)
    return None


def cancel(scene: Scene, dice: random.Random) -> PlannedRequest | None:
    """Cancel a move or relocation that is under way; begin one where there is none."""
    operations = in_state(scene.reader.listed("operations"), *LIVE)
    live = sorted(each["id"] for each in operations if each["kind"] in (MOVE, RELOCATE) and each["cancellable"])
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
