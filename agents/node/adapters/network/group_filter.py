"""The rules of security groups that must hold on the node, and the problem with them."""

from collections.abc import Mapping
from pathlib import Path

from agents.node.adapters.network import group_rules
from agents.node.adapters.network.guest_connections import TrackedPort
from agents.node.adapters.network.kept_tables import KeptTables
from agents.node.adapters.network.layout import Layout
from agents.node.adapters.network_specs import tap_name
from agents.node.adapters.port_filters import NOTHING_FILTERED, FilteredPort, PortFilters

BRIDGE_HOOKS = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")  # exists if br_netfilter is there
NO_HOOKS = "The kernel has no br_netfilter, so ports with security groups are cut off. Load the module (modprobe)."
SHARED = (
    "Ports with different security groups share MAC addresses, whose traffic is dropped: {}. Give these ports the same"
    " groups."
)
ZONES = 2**16 - 1


class GroupFilter:
    """The rules of security groups. Not thread-safe: the caller holds a lock.

    `connections`: the most that are open at once in a network with filtered ports. `problem`: for an operator; empty:
    none. `tracked`: the filtered ports by tap, for threads that hold no lock.
    """

    def __init__(self, connections: int, *, hooks: Path = BRIDGE_HOOKS) -> None:
        self.problem = ""
        self.tracked: Mapping[str, TrackedPort] = {}
        self._connections = connections
        self._hooks = hooks
        self._filters = NOTHING_FILTERED
        self._tables = KeptTables(group_rules.INET, group_rules.BRIDGE)
        self._zones: dict[str, int] = {}

    @property
    def bridges(self) -> set[str]:
        """Return the bridges whose frames must pass the node's IP hooks."""
        return group_rules.bridges(self._filters)

    def want(self, filters: PortFilters) -> None:
        """Set what must hold, and the problem."""
        can_filter = self._hooks.exists()
        self._filters = filters if can_filter else _closed(filters)
        self._zones = _zones(self.bridges, self._zones)
        self.tracked = _tracked(self._filters, self._zones)
        self._tables.want(group_rules.tables(self._filters, zones=self._zones, connections=self._connections))
        shared = sorted(group_rules.shared_macs(self._filters))
        self.problem = SHARED.format(", ".join(shared[:5])) if shared else ""
        if filters.ports and not can_filter:
            self.problem = NO_HOOKS

    def write(self) -> None:
        self._tables.write()

    def keep(self) -> bool:
        return self._tables.keep()

    def text(self) -> str:
        return self._tables.text()


def _closed(filters: PortFilters) -> PortFilters:
    return PortFilters(tuple(FilteredPort(port.port, port.macs, None) for port in filters.ports))


def _tracked(filters: PortFilters, zones: Mapping[str, int]) -> dict[str, TrackedPort]:
    tracked = {}
    for each in filters.ports:
        if each.groups is not None:
            addresses = (*each.port.own(4), *each.port.own(6), *each.routed)
            zone = zones[Layout.for_network(each.port.network.id).bridge]
            tracked[tap_name(each.port.id)] = TrackedPort(zone, addresses)
    return tracked


def _zones(bridges: set[str], known: dict[str, int]) -> dict[str, int]:
    """Return the zone of connection tracking of each bridge.

    It follows from the bridge's name, so that connections outlive a start of the agent; of two that would have the same
    one, the second gets the next.
    """
    zones = {bridge: zone for bridge, zone in known.items() if bridge in bridges}
    for bridge in sorted(bridges - zones.keys()):
        zone = int(bridge.removeprefix("br"), 16) % ZONES
        while zone + 1 in zones.values():
            zone = (zone + 1) % ZONES
        zones[bridge] = zone + 1
    return zones
