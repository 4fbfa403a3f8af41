"""Acts of users: one entry each in ACTS. A new part of the API adds one entry."""

import random
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from scripts.chaos import image_acts, network_acts, officer, plan_acts, snapshot_acts, volume_acts
from scripts.chaos.planned import OPERATOR, ActKind, PlannedRequest, Scene, any_id, in_state
from scripts.chaos.volume_types import KEPT, LATE, LOCAL

ENDED = ("succeeded", "failed", "cancelled")
# Enough that they meet, few enough that each has its turn.
MOST_INSTANCES, MOST_VOLUMES = 24, 20
# Number of instances that are checked for one that can migrate, or be relocated.
MOST_PLANS = 4
IMAGE = "tiny"
FLAVORS = ("tiny", "small")
# Share of the instances that begin with an image of the project itself, if it has one.
OF_OWN_IMAGE = 0.2


def create(scene: Scene, dice: random.Random) -> PlannedRequest | None:
    if len(scene.instances) >= MOST_INSTANCES:
        return delete(scene, dice)
    name = f"i{scene.number}"
    body: dict[str, Any] = {"name": name, "flavor": FLAVORS[0], "image": IMAGE, "networks": ["lan"]}
    body["root_volume_type"] = dice.choice(KEPT)
    body["policy_atoms"] = officer.policy(dice)
    if dice.random() < OF_OWN_IMAGE:
        own = any_id(in_state(image_acts.own(scene), "available"), dice)
        body["image"] = own or IMAGE
    if dice.random() < 0.3 and (volume := any_id(in_state(scene.volumes, "available"), dice)) is not None:
        body["volumes"] = [volume]
    return PlannedRequest("POST", "instances", "instance.create", body, name=name, then={"state": "active"})


def delete(scene: Scene, dice: random.Random) -> PlannedRequest | None:
    if (instance_id := any_id(scene.instances, dice)) is None:
        return None
    return PlannedRequest(
        "DELETE", f"instances/{instance_id}", "instance.delete", resource=instance_id, then={"state": "deleted"}
    )


def power(action: str, *, of: str, then: str) -> Callable[[Scene, random.Random], PlannedRequest | None]:
    def plan(scene: Scene, dice: random.Random) -> PlannedRequest | None:
        if (instance_id := any_id(in_state(scene.instances, of), dice)) is None:
            return None
        path = f"instances/{instance_id}/actions/{action}"
        return PlannedRequest("POST", path, f"instance.{action}", {}, resource=instance_id, then={"state": then})

    return plan


def resize(scene: Scene, dice: random.Random) -> PlannedRequest | None:
    """Resize to the larger flavor: a disk cannot shrink."""
    small = [each for each in in_state(scene.instances, "stopped") if each["flavor"] == FLAVORS[0]]
    if (instance_id := any_id(small, dice)) is None:
        return None
    size = {"flavor": FLAVORS[1]}
    return PlannedRequest(
        "POST", f"instances/{instance_id}/actions/resize", "instance.resize", size, resource=instance_id, then=size
    )


def rebuild(scene: Scene, dice: random.Random) -> PlannedRequest | None:
    settled = in_state(scene.instances, "active", "stopped")
    if (instance_id := any_id(settled, dice)) is None:
        return None
    return PlannedRequest(
        "POST", f"instances/{instance_id}/actions/rebuild", "instance.rebuild", {"image": IMAGE}, resource=instance_id
    )


def attach(scene: Scene, dice: random.Random) -> PlannedRequest | None:
    """Attach to an instance of the same zone; if it is on another node, the request is refused.

    A volume without a place is attached to any instance.
    """
    volumes = in_state(scene.volumes, "available")
    if not volumes:
        return None
    volume, zone = dice.choice(sorted((each["id"], each["zone"]) for each in volumes))
    near = [each for each in in_state(scene.instances, "active", "stopped") if zone in (None, each["zone"])]
    if (instance := any_id(near, dice)) is None:
        return None
    path = f"instances/{instance}/attachments"
    return PlannedRequest(
        "POST", path, "volume.attach", {"volume": volume}, resource=volume, then={"instance": instance}
    )


def detach(scene: Scene, dice: random.Random) -> PlannedRequest | None:
    plugged = [(each, instance) for instance in scene.instances for each in instance["attachments"]]
    if not plugged:
        return None
    attachment, instance = dice.choice(sorted(plugged, key=lambda pair: _id(pair[0])))
    path = f"instances/{instance['id']}/attachments/{attachment['id']}"
    volume = attachment["volume"]["id"]
    return PlannedRequest("DELETE", path, "volume.detach", resource=volume, then={"instance": None})


def create_volume(scene: Scene, dice: random.Random) -> PlannedRequest | None:
    """Create a volume; most of the local ones are near an instance, so that they can be attached there."""
    if len(scene.volumes) >= MOST_VOLUMES:
        return delete_volume(scene, dice)
    body: dict[str, Any] = {"name": f"v{scene.number}", "size_gib": 1}
    body["volume_type"] = dice.choice((*KEPT, *LATE.values()))
    body["policy_atoms"] = officer.policy(dice)
    near = any_id(in_state(scene.instances, "active", "stopped"), dice)
    if near is not None and body["volume_type"] == LOCAL and dice.random() < 0.8:
        body["near_instance"] = near
    return PlannedRequest("POST", "volumes", "volume.create", body, name=body["name"], then={"state": "available"})


def delete_volume(scene: Scene, dice: random.Random) -> PlannedRequest | None:
    if (volume_id := any_id(in_state(scene.volumes, "available", "error"), dice)) is None:
        return None
    return PlannedRequest(
        "DELETE", f"volumes/{volume_id}", "volume.delete", resource=volume_id, then={"state": "deleted"}
    )


def grow(scene: Scene, dice: random.Random) -> PlannedRequest | None:
    volumes = in_state(scene.volumes, "available", "in-use")
    if not volumes:
        return None
    volume = dice.choice(sorted(volumes, key=_id))
    size = {"size_gib": volume["size_gib"] + 1}
    return PlannedRequest(
        "POST", f"volumes/{volume['id']}/actions/grow", "volume.grow", size, resource=volume["id"], then=size
    )


def cancel(scene: Scene, dice: random.Random) -> PlannedRequest | None:
    operations = scene.reader.listed("operations")
    live = [each for each in operations if each["state"] not in ENDED and each["cancellable"]]
    if (operation_id := any_id(live, dice)) is None:
        return None
    return PlannedRequest("POST", f"operations/{operation_id}/actions/cancel", "operation.cancel", {})


def retry(scene: Scene, dice: random.Random) -> PlannedRequest | None:
    operations = scene.reader.listed("operations")
    lost = [each for each in operations if each["state"] in ("failed", "cancelled") and not each["retried_by"]]
    if (operation_id := any_id(lost, dice)) is None:
        return None
    return PlannedRequest("POST", f"operations/{operation_id}/actions/retry", "operation.retry", {})


def cordon(scene: Scene, dice: random.Random) -> PlannedRequest | None:
    """Cordon one node at a time."""
    nodes = scene.reader.listed("/v1/nodes", by=OPERATOR)
    if any(node["is_cordoned"] for node in nodes) or (node_id := any_id(nodes, dice)) is None:
        return None
    path = f"/v1/nodes/{node_id}/actions/cordon"
    return PlannedRequest("POST", path, "node.cordon", {"reason": "chaos"}, resource=node_id, by=OPERATOR)


def uncordon(scene: Scene, dice: random.Random) -> PlannedRequest | None:
    nodes = scene.reader.listed("/v1/nodes", by=OPERATOR)
    if (node_id := any_id(_on_duty(nodes, "cordoned"), dice)) is None:
        return None
    return PlannedRequest(
        "POST", f"/v1/nodes/{node_id}/actions/uncordon", "node.uncordon", {}, resource=node_id, by=OPERATOR
    )


def migrate(scene: Scene, dice: random.Random) -> PlannedRequest | None:
    """Migrate a running or stopped guest as an operator, after a preview; placement chooses the destination.

    It may have been stopped or started since the preview, and keeps that state.
    """
    settled = sorted(in_state(scene.instances, "active", "stopped"), key=_id)
    for each in dice.sample(settled, min(len(settled), MOST_PLANS)):
        path = f"/v1/instances/{each['id']}"
        plan = scene.reader.get(f"{path}/migration-plan", by=OPERATOR)
        if plan and plan["nodes"]:
            path_of_action, kind = f"{path}/actions/migrate", "instance.migrate"
            return PlannedRequest("POST", path_of_action, kind, {}, resource=each["id"], by=OPERATOR)
    return None


def relocate(scene: Scene, dice: random.Random) -> PlannedRequest | None:
    """Relocate a stopped instance, after a preview, to a zone that admits it.

    It may have been started since the preview: then the request is refused.
    """
    stopped = sorted(in_state(scene.instances, "stopped"), key=_id)
    for each in dice.sample(stopped, min(len(stopped), MOST_PLANS)):
        plan = scene.reader.get(f"instances/{each['id']}/relocation-plan")
        admitted = [zone["zone"] for zone in plan["zones"] if zone["is_admitted"]] if plan else []
        if admitted:
            to = {"zone": dice.choice(sorted(admitted))}
            path = f"instances/{each['id']}/actions/relocate"
            return PlannedRequest("POST", path, "instance.relocate", to, resource=each["id"], then=to)
    return None


def drain(scene: Scene, dice: random.Random) -> PlannedRequest | None:
    """Drain one node at a time by its plan; if the plan has changed since, the request is refused."""
    nodes = scene.reader.listed("/v1/nodes", by=OPERATOR)
    if any(node["is_cordoned"] for node in nodes) or (node_id := any_id(nodes, dice)) is None:
        return None
    fallback = dice.choice(("leave", "stop"))
    plan = scene.reader.asked(f"/v1/nodes/{node_id}/actions/plan-drain", {"fallback": fallback}, by=OPERATOR)
    if plan is None:
        return None
    body = {"plan": plan["digest"], "fallback": fallback, "at_once": 4, "reason": "chaos"}
    return PlannedRequest(
        "POST", f"/v1/nodes/{node_id}/actions/drain", "node.drain", body, resource=node_id, by=OPERATOR
    )


def drain_cancel(scene: Scene, dice: random.Random) -> PlannedRequest | None:
    nodes = scene.reader.listed("/v1/nodes", by=OPERATOR)
    if (node_id := any_id(_on_duty(nodes, "draining"), dice)) is None:
        return None
    path = f"/v1/nodes/{node_id}/drain/actions/cancel"
    return PlannedRequest("POST", path, "node.drain-cancel", {}, resource=node_id, by=OPERATOR)


def return_node(scene: Scene, dice: random.Random) -> PlannedRequest | None:
    nodes = scene.reader.listed("/v1/nodes", by=OPERATOR)
    if (node_id := any_id(_on_duty(nodes, "maintenance"), dice)) is None:
        return None
    return PlannedRequest(
        "POST", f"/v1/nodes/{node_id}/actions/return", "node.return", {}, resource=node_id, by=OPERATOR
    )


ACTS: Mapping[str, ActKind] = {
    "create": ActKind(9, create),
    "delete": ActKind(4, delete),
    "start": ActKind(4, power("start", of="stopped", then="active")),
    "power-off": ActKind(3, power("power-off", of="active", then="stopped")),
    "shutdown": ActKind(2, power("shutdown", of="active", then="stopped")),
    "reboot": ActKind(2, power("reboot", of="active", then="active")),
    "reset": ActKind(1, power("reset", of="active", then="active")),
    "resize": ActKind(3, resize),
    "rebuild": ActKind(2, rebuild),
    "attach": ActKind(5, attach),
    "detach": ActKind(3, detach),
    "volume-create": ActKind(5, create_volume),
    "volume-delete": ActKind(2, delete_volume),
    "volume-grow": ActKind(3, grow),
    "cancel": ActKind(2, cancel),
    "retry": ActKind(2, retry),
    "migrate": ActKind(10, migrate),
    "relocate": ActKind(8, relocate),
    "cordon": ActKind(1, cordon),
    "uncordon": ActKind(3, uncordon),
    "drain": ActKind(3, drain),
    "drain-cancel": ActKind(1, drain_cancel),
    "return": ActKind(3, return_node),
    "port-create": ActKind(4, network_acts.create_port),
    "port-delete": ActKind(1, network_acts.delete_port),
    "port-attach": ActKind(5, network_acts.attach_port),
    "port-detach": ActKind(3, network_acts.detach_port),
    "group-create": ActKind(1, network_acts.create_group),
    "group-rule-add": ActKind(4, network_acts.add_rule),
    "group-rule-remove": ActKind(2, network_acts.remove_rule),
    "groups-set": ActKind(3, network_acts.set_groups),
    "cluster-volume-create": ActKind(5, snapshot_acts.create_volume),
    "snapshot-take": ActKind(9, snapshot_acts.take),
    "snapshot-delete": ActKind(3, snapshot_acts.delete),
    "revert": ActKind(8, snapshot_acts.revert),
    "volume-move": ActKind(12, volume_acts.move),
    "volume-move-cancel": ActKind(4, volume_acts.cancel),
    "volume-retype": ActKind(3, volume_acts.retype),
    "volume-relocate": ActKind(10, volume_acts.relocate),
    "zone-drift": ActKind(10, plan_acts.drift),
    "zone-recover": ActKind(1, plan_acts.recover),
    "plan-advance": ActKind(25, plan_acts.advance),
    "image-create": ActKind(6, image_acts.create),
    "image-delete": ActKind(3, image_acts.delete),
    "address-reserve": ActKind(3, network_acts.reserve_address),
    "address-attach": ActKind(5, network_acts.attach_address),
    "address-detach": ActKind(2, network_acts.detach_address),
    "address-release": ActKind(1, network_acts.release_address),
}


def _on_duty(nodes: Iterable[dict[str, Any]], duty: str) -> list[dict[str, Any]]:
    return [node for node in nodes if node["duty"] == duty]


def _id(thing: dict[str, Any]) -> str:
    return str(thing["id"])
