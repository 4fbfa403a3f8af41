"""Redaction of a decision for a resource that may change its node, but not its zone. Pure.

Decisions weigh all zones, since other resources might use them; a live migration needs only its own.
"""

from collections.abc import Mapping, Sequence
from typing import Any

# Changes that can admit another node of the zone.
HELPFUL = ("policy", "cleared", "attested", "ready", "cordon", "traits", "affinity", "anti_affinity", "zone_open")


def restrict_to_zones(document: Mapping[str, Any], zones: Sequence[str], *, away_from: Sequence[str]) -> dict[str, Any]:
    """Return the decision restricted to these zones, without the nodes in `away_from`."""
    kept = [zone for zone in document["zones"] if zone["zone"] in zones]
    codes = {code for zone in kept for code in zone["codes"]}
    left = set(away_from)
    return {
        **document,
        "zones": kept,
        "nearest": [miss for miss in document["nearest"] if miss["zone"] in zones and miss["node"] not in left],
        "relaxations": [each for each in document["relaxations"] if _helps(each, zones, left)],
        "eliminated": [each for each in document["eliminated"] if each["code"] in codes],
    }


def _helps(relaxation: Mapping[str, Any], zones: Sequence[str], left: set[str]) -> bool:
    facts = relaxation["facts"]
    is_there = "zones" not in facts or bool(set(facts["zones"]) & set(zones))
    is_another = "nodes" not in facts or not set(facts["nodes"]) <= left
    return relaxation["change"] in HELPFUL and is_there and is_another
