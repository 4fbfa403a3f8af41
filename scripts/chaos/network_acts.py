"""Acts of users on networks: ports that are attached and detached, security groups with rules, public addresses."""

import random
from typing import Any

from scripts.chaos.planned import PlannedRequest, Scene, any_id, in_state

MOST_PORTS, MOST_RULES, MOST_GROUPS, MOST_ADDRESSES = 12, 12, 4, 8
NETWORK = "lan"


def create_port(scene: Scene, dice: random.Random) -> PlannedRequest | None:
    if len(_free(scene)) >= MOST_PORTS:
        return delete_port(scene, dice)
    body = {"name": f"p{scene.number}", "network": NETWORK}
    return PlannedRequest("POST", "ports", "port.create", body)


def delete_port(scene: Scene, dice: random.Random) -> PlannedRequest | None:
    if (port_id := any_id(_free(scene), dice)) is None:
        return None
    return PlannedRequest("DELETE", f"ports/{port_id}", "port.delete")


def attach_port(scene: Scene, dice: random.Random) -> PlannedRequest | None:
    port, instance = any_id(_free(scene), dice), any_id(in_state(scene.instances, "active", "stopped"), dice)
    if port is None or instance is None:
        return None
    return PlannedRequest("POST", f"ports/{port}/actions/attach", "port.attach", {"instance": instance}, resource=port)


def detach_port(scene: Scene, dice: random.Random) -> PlannedRequest | None:
    """Detach a port that was made by itself: each instance keeps the one that came with it."""
    attached = [port for port in scene.reader.listed("ports") if port["is_own"] and port["instance"]]
    if (port_id := any_id(attached, dice)) is None:
        return None
    return PlannedRequest("POST", f"ports/{port_id}/actions/detach", "port.detach", {}, resource=port_id)


def create_group(scene: Scene, dice: random.Random) -> PlannedRequest | None:
    if len(_groups(scene)) >= MOST_GROUPS:
        return None
    return PlannedRequest("POST", "security-groups", "security_group.create", {"name": f"g{scene.number}"})


def add_rule(scene: Scene, dice: random.Random) -> PlannedRequest | None:
    groups = _groups(scene)
    if (group := any_id(groups, dice)) is None:
        return None
    if len(scene.reader.listed(f"security-groups/{group}/rules")) >= MOST_RULES:
        return remove_rule(scene, dice)
    body: dict[str, Any] = {"direction": dice.choice(("in", "out")), "protocol": "tcp"}
    body["first_port"] = dice.randrange(1, 1024)
    if dice.random() < 0.5:
        body["peer_group"] = any_id(groups, dice)
    return PlannedRequest("POST", f"security-groups/{group}/rules", "security_group.rule", body)


def remove_rule(scene: Scene, dice: random.Random) -> PlannedRequest | None:
    if (group := any_id(_groups(scene), dice)) is None:
        return None
    if (rule := any_id(scene.reader.listed(f"security-groups/{group}/rules"), dice)) is None:
        return None
    return PlannedRequest("DELETE", f"security-groups/{group}/rules/{rule}", "security_group.rule")


def set_groups(scene: Scene, dice: random.Random) -> PlannedRequest | None:
    groups = sorted(group["id"] for group in _groups(scene))
    if not groups or (instance := any_id(in_state(scene.instances, "active", "stopped"), dice)) is None:
        return None
    body = {"security_groups": dice.sample(groups, dice.randint(1, len(groups)))}
    return PlannedRequest("PUT", f"instances/{instance}/security-groups", "security_group.set", body)


def reserve_address(scene: Scene, dice: random.Random) -> PlannedRequest | None:
    if len(_addresses(scene)) >= MOST_ADDRESSES:
        return release_address(scene, dice)
    if (pool := any_id(scene.reader.listed("address-pools"), dice)) is None:
        return None
    body = {"name": f"a{scene.number}", "pool": pool}
    return PlannedRequest("POST", "public-addresses", "public_address.create", body)


def attach_address(scene: Scene, dice: random.Random) -> PlannedRequest | None:
    """Attach an address to a port of an instance in its zone; another port that has it loses it."""
    addresses = _addresses(scene)
    if (address_id := any_id(addresses, dice)) is None:
        return None
    zone = next(address["zone"] for address in addresses if address["id"] == address_id)
    near = {instance["id"] for instance in scene.instances if instance["zone"] == zone}
    ports = [port for port in scene.reader.listed("ports") if port["instance"] and port["instance"]["id"] in near]
    if (port := any_id(ports, dice)) is None:
        return None
    body = {"port": port, "move": True}
    path = f"public-addresses/{address_id}/actions/attach"
    return PlannedRequest("POST", path, "public_address.attach", body, resource=address_id)


def detach_address(scene: Scene, dice: random.Random) -> PlannedRequest | None:
    if (address_id := any_id([address for address in _addresses(scene) if address["port"]], dice)) is None:
        return None
    path = f"public-addresses/{address_id}/actions/detach"
    return PlannedRequest("POST", path, "public_address.detach", {}, resource=address_id)


def release_address(scene: Scene, dice: random.Random) -> PlannedRequest | None:
    if (address_id := any_id([address for address in _addresses(scene) if not address["port"]], dice)) is None:
        return None
    return PlannedRequest("DELETE", f"public-addresses/{address_id}", "public_address.delete")


def _free(scene: Scene) -> list[dict[str, Any]]:
    return [port for port in scene.reader.listed("ports") if port["is_own"] and not port["instance"]]


def _addresses(scene: Scene) -> list[dict[str, Any]]:
    return scene.reader.listed("public-addresses")


def _groups(scene: Scene) -> list[dict[str, Any]]:
    return scene.reader.listed("security-groups")
