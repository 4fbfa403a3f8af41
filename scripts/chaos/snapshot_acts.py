"""Acts on volumes in the storage cluster: snapshots, volumes from them, and reverts to them, in any order."""

import random
from typing import Any

from scripts.chaos.planned import PlannedRequest, Scene, any_id, in_state
from scripts.chaos.volume_types import CLUSTER, IN_CLUSTER

# Enough that they meet, few enough that each has its turn.
MOST_SNAPSHOTS, MOST_VOLUMES = 16, 12


def create_volume(scene: Scene, dice: random.Random) -> PlannedRequest | None:
    """Create a volume in the cluster, half of them from a snapshot."""
    if len(_volumes(scene)) >= MOST_VOLUMES:
        return None
    body: dict[str, Any] = {"name": f"c{scene.number}"}
    snapshot = any_id(in_state(scene.reader.listed("snapshots"), "available"), dice)
    if snapshot is not None and dice.random() < 0.5:
        body["snapshot"] = snapshot
    else:
        body |= {"size_gib": 1, "volume_type": CLUSTER}
    return PlannedRequest("POST", "volumes", "volume.create", body, name=body["name"], then={"state": "available"})


def take(scene: Scene, dice: random.Random) -> PlannedRequest | None:
    if len(scene.reader.listed("snapshots")) >= MOST_SNAPSHOTS:
        return delete(scene, dice)
    if (volume := any_id(in_state(_volumes(scene), "available", "in-use"), dice)) is None:
        return create_volume(scene, dice)
    body = {"name": f"s{scene.number}", "volume": volume}
    return PlannedRequest("POST", "snapshots", "snapshot.create", body, name=body["name"], then={"state": "available"})


def delete(scene: Scene, dice: random.Random) -> PlannedRequest | None:
    if (snapshot := any_id(scene.reader.listed("snapshots"), dice)) is None:
        return None
    return PlannedRequest(
        "DELETE", f"snapshots/{snapshot}", "snapshot.delete", resource=snapshot, then={"state": "deleted"}
    )


def revert(scene: Scene, dice: random.Random) -> PlannedRequest | None:
    """Revert a volume to one of its snapshots; while a guest runs with it, the request is refused."""
    snapshots = in_state(scene.reader.listed("snapshots"), "available")
    if not snapshots:
        return take(scene, dice)
    snapshot = dice.choice(sorted(snapshots, key=lambda each: str(each["id"])))
    volume = snapshot["volume"]["id"]
    path, body = f"volumes/{volume}/actions/revert", {"snapshot": snapshot["id"]}
    return PlannedRequest("POST", path, "volume.revert", body, resource=volume)


def _volumes(scene: Scene) -> list[dict[str, Any]]:
    return [each for each in scene.volumes if each["volume_type"] in IN_CLUSTER]
