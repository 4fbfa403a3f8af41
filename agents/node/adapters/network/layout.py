"""Names of the parts of one tenant network on a node.

Every name has the tail of the network's id, so that the parts of a network are found again without a record of them,
and those of a forgotten network are recognised.
"""

import re
from dataclasses import dataclass
from uuid import UUID

from agents.node.adapters.network_specs import bridge_name, router_mac
from andromede_core.permits.network_values import SEGMENT_MAC

# Legs of routers that stand in the node's namespace, and what leads to other nodes. Rules match these prefixes.
LAN_LEG = "rtl-"
WAN_LEG = "rtw-"
OVERLAY = "vxl-"
NAMESPACE = "andromede-"
_TAIL = re.compile(r"[0-9a-f]{11}")


def namespace_name(network_id: UUID) -> str:
    """Return the network namespace of the router, as `ip netns` names it; guests can be reached from there."""
    return Layout.for_network(network_id).namespace


@dataclass(frozen=True, slots=True, order=True)
class Layout:
    """Names of one network. `tail` is 11 hexadecimal digits: device names hold 15 characters."""

    tail: str

    @classmethod
    def for_network(cls, network_id: UUID) -> "Layout":
        return cls(bridge_name(network_id).removeprefix("br"))

    @classmethod
    def owning(cls, name: str, prefix: str) -> "Layout | None":
        """Return the layout that owns `name`, if it is the kind of part that `prefix` marks."""
        tail = name.removeprefix(prefix)
        return cls(tail) if name.startswith(prefix) and _TAIL.fullmatch(tail) else None

    @property
    def bridge(self) -> str:
        return f"br{self.tail}"

    @property
    def namespace(self) -> str:
        return f"{NAMESPACE}{self.tail}"

    @property
    def lan_leg(self) -> str:
        return f"{LAN_LEG}{self.tail}"

    @property
    def wan_leg(self) -> str:
        return f"{WAN_LEG}{self.tail}"

    @property
    def overlay(self) -> str:
        return f"{OVERLAY}{self.tail}"

    def is_of_router(self, mac: str) -> bool:
        """Tell if a router of the network has this MAC: as the gateway, or between nodes (SEGMENT_MAC)."""
        return mac == self.gateway_mac or mac.startswith(f"{SEGMENT_MAC}:")

    @property
    def gateway_mac(self) -> str:
        """Return the gateway's MAC, the same on every node and after repairs, so guests' ARP entries stay valid."""
        return router_mac("02", self.tail)
