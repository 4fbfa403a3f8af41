"""Acts on images of the project, which are made of volumes and snapshots in the storage cluster."""

import random
from typing import Any

from scripts.chaos.planned import PlannedRequest, Scene, any_id, in_state
from scripts.chaos.volume_types import IN_CLUSTER

MOST_IMAGES = 6


def create(scene: Scene, dice: random.Random) -> PlannedRequest | None:
    """Make an image, half of them of a volume and half of a snapshot, if there are both."""
    if len(own(scene)) >= MOST_IMAGES:
        return delete(scene, dice)
    in_cluster = [each for each in scene.volumes if each["volume_type"] in IN_CLUSTER]
    volume = any_id(in_state(in_cluster, "available", "in-use"), dice)
    snapshot = any_id(in_state(scene.reader.listed("snapshots"), "available"), dice)
    sources = [(kind, each) for kind, each in (("volume", volume), ("snapshot", snapshot)) if each is not None]
    if not sources:
        return None
    kind, source = dice.choice(sources)
    name = f"m{scene.number}"
    return PlannedRequest("POST", "images", "image.create", {"name": name, kind: source}, name=name)


def delete(scene: Scene, dice: random.Random) -> PlannedRequest | None:
    """Delete an image, also one that is being made."""
    if (image := any_id(own(scene), dice)) is None:
        return None
    return PlannedRequest("DELETE", f"images/{image}", "image.delete", resource=image)


def own(scene: Scene) -> list[dict[str, Any]]:
    """Return the images of the project itself, in any state."""
    return [each for each in scene.reader.listed("images") if not each["is_public"]]
