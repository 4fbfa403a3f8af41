"""Read the agent's tables from the kernel."""

import json
from typing import Any

from agents.node.adapters.network import ipv6_rules, nft, node_rules, overlay_rules, port_rules, service_rules

TABLES = frozenset(
    {node_rules.TABLE, port_rules.TABLE, overlay_rules.TABLE, ipv6_rules.ROUTER_TABLE, service_rules.TABLE}
)

VOLATILE = frozenset({"handle", "packets", "bytes"})  # of which a named counter has the last two


def rules_present(*, namespace: str | None = None) -> dict[str, list[Any]]:
    """Return the rules of the node or of a named namespace, in a form in which equal rules are equal.

    Handles and counters are left out, and the set elements that packets add.
    """
    tables: dict[str, list[Any]] = {}
    for each in nft.listing("ruleset", namespace=namespace):
        for kind, value in each.items():
            table = f"{value['family']} {value['name' if kind == 'table' else 'table']}"
            if table in TABLES:
                tables.setdefault(table, []).append({kind: comparable(value)})
    return tables


def has_node_rules() -> bool:
    """Return whether the node's network namespace has the table of node_rules."""
    tables = (each["table"] for each in nft.listing("tables"))
    return any(f"{table['family']} {table['name']}" == node_rules.TABLE for table in tables)


def comparable(value: dict[str, Any]) -> dict[str, Any]:
    """Return an object of a listing without its handle, its counts, and the elements that packets add."""
    kept = {key: field for key, field in value.items() if key not in VOLATILE}
    if "elem" in kept:
        is_dynamic = "dynamic" in kept.get("flags", [])
        kept["elem"] = [] if is_dynamic else sorted(kept["elem"], key=json.dumps)
    elif value.get("flags") and "dynamic" in value["flags"]:
        kept["elem"] = []
    return kept
