"""Acts on compliance: facts by which data in a zone drifts, and the remediation plans that move it elsewhere."""

import random
from typing import Any

from scripts.chaos.officer import ABROAD, AT_HOME, ATTRIBUTE
from scripts.chaos.planned import OPERATOR, PlannedRequest, Reader, Scene, any_id, in_state

# Share of the acts on a plan under execution that pause it.
PAUSED = 0.2


def drift(scene: Scene, dice: random.Random) -> PlannedRequest | None:
    """Change the facts of a zone so that policies do not admit it any more, one zone at a time."""
    zones = facts_of_zones(scene.reader)
    if not zones or drifted(zones):
        return None
    return _stated(scene.reader, dice.choice(sorted(zones)), ABROAD, zones)


def recover(scene: Scene, dice: random.Random) -> PlannedRequest | None:
    """Change the facts of a zone back."""
    requests = recoveries(scene.reader)
    return dice.choice(requests) if requests else None


def recoveries(reader: Reader) -> list[PlannedRequest]:
    """Return the requests after which policies admit all zones; two acts at one moment may have changed two zones."""
    zones = facts_of_zones(reader)
    return [_stated(reader, zone, AT_HOME, zones) for zone in drifted(zones)]


def advance(scene: Scene, dice: random.Random) -> PlannedRequest | None:
    """Approve or execute the live plan. Of one under execution, stop an instance, so that it is relocated, or pause it.

    Without a plan, a zone drifts.
    """
    live = in_state(scene.reader.listed("remediation-plans"), "proposed", "approved")
    if not live:
        return drift(scene, dice)
    plan = live[0]
    allowed = {each["name"] for each in plan["allowed_actions"] if each["is_allowed"]}
    if plan["execution"] == "running" and dice.random() >= PAUSED:
        named = {item["resource_id"] for item in plan["items"]}
        return _powered_off(any_id([each for each in in_state(scene.instances, "active") if each["id"] in named], dice))
    for action in ("approve", "execute", "pause"):
        if action in allowed:
            return PlannedRequest("POST", f"remediation-plans/{plan['id']}/actions/{action}", f"plan.{action}", {})
    return None


def _powered_off(instance: str | None) -> PlannedRequest | None:
    if instance is None:
        return None
    path, then = f"instances/{instance}/actions/power-off", {"state": "stopped"}
    return PlannedRequest("POST", path, "instance.power-off", {}, resource=instance, then=then)


def facts_of_zones(reader: Reader) -> dict[str, list[dict[str, Any]]]:
    """Return the facts in force about the administrators of each zone with a node."""
    zones = {node["zone"] for node in reader.listed("/v1/nodes", by=OPERATOR)}
    query = {"subject_kind": "zone", "attribute": ATTRIBUTE, "limit": "200"}
    found = {zone: reader.get("/v1/facts", by=OPERATOR, subject_id=zone, **query) for zone in zones}
    return {zone: page["items"] for zone, page in found.items() if page}


def drifted(zones: dict[str, list[dict[str, Any]]]) -> list[str]:
    """Return the zones with administrators abroad now."""
    now = {zone: [each["value"] for each in facts if not each["valid_to"]] for zone, facts in zones.items()}
    return sorted(zone for zone, values in now.items() if values == [ABROAD])


def _stated(reader: Reader, zone: str, value: list[str], zones: dict[str, list[dict[str, Any]]]) -> PlannedRequest:
    body = reader.officer.signed(zone, value, zones[zone])
    return PlannedRequest("POST", "/v1/facts", f"facts.{'drift' if value == ABROAD else 'recover'}", body, by=OPERATOR)
