"""Keeps the rules of security groups in the kernel: changes them by elements, and restores lost ones."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agents.node.adapters.network import group_rules, nft, rule_table
from agents.node.adapters.network.guest_connections import TrackedPort
from agents.node.adapters.network.layout import Layout
from agents.node.adapters.network.nft_changes import generation
from agents.node.adapters.network.rule_table import Table
from agents.node.adapters.network.rules_present import comparable
from agents.node.adapters.network_specs import tap_name
from agents.node.adapters.port_filters import NOTHING_FILTERED, FilteredPort, PortFilters
from agents.node.errors import AdapterError

REMOVAL = rule_table.removal(group_rules.INET) + rule_table.removal(group_rules.BRIDGE)
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
        self._wanted: tuple[Table, ...] = ()
        self._written: tuple[Table, ...] | None = None  # None: the kernel may have those of an earlier agent
        self._zones: dict[str, int] = {}
        self._seen: int | None = None  # the generation in which the kernel's rules were as written
        self._good: dict[str, list[Any]] | None = None  # their listing

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
        self._wanted = group_rules.tables(self._filters, zones=self._zones, connections=self._connections)
        shared = sorted(group_rules.shared_macs(self._filters))
        self.problem = SHARED.format(", ".join(shared[:5])) if shared else ""
        if filters.ports and not can_filter:
            self.problem = NO_HOOKS

    def write(self) -> None:
        """Change the kernel's rules to those that must hold; `keep` comes before, so that lost ones are noticed.

        Raises:
            AdapterError: they cannot be written.
        """
        if self._written is None:
            self._write_whole()
            return
        text = rule_table.changes(self._written, self._wanted)
        if not text:
            return
        is_new = not self._written  # the text replaces what may be there
        before = generation()
        try:
            nft.apply(text)
        except AdapterError:  # of a table that was changed since
            self._write_whole()
            return
        self._written = self._wanted
        self._note(is_good=is_new or before == self._seen, before=before)

    def keep(self) -> bool:
        """Write the rules again if the kernel's differ from those written; returns whether they had been lost.

        Raises:
            AdapterError: they cannot be written.
        """
        if not self._written:
            return False
        now = generation()
        if now == self._seen:
            return False
        present = _present()
        if present == self._good:
            self._seen = now
            return False
        nft.apply(rule_table.whole(self._written))
        return self._note(is_good=True, before=now) != present

    def text(self) -> str:
        """Return the statements that replace all rules of security groups."""
        return REMOVAL + rule_table.whole(self._wanted)

    def _write_whole(self) -> None:
        before = generation()
        nft.apply(self.text())
        self._written = self._wanted
        self._note(is_good=True, before=before)

    def _note(self, *, is_good: bool, before: int) -> dict[str, list[Any]]:
        """Return the kernel's listing; remember it if it is the agent's work alone: no other commit came in between."""
        present = _present()
        is_good = is_good and generation() == before + 1
        self._good, self._seen = (present, before + 1) if is_good else (None, None)
        return present


def _present() -> dict[str, list[Any]]:
    """Return the kernel's rules; a table that is missing has none."""
    found: dict[str, list[Any]] = {}
    for table in (group_rules.INET, group_rules.BRIDGE):
        try:
            listing = nft.listing("table", *table.split())
        except AdapterError:
            continue
        found[table] = [{kind: comparable(value)} for each in listing for kind, value in each.items()]
    return found


def _closed(filters: PortFilters) -> PortFilters:
    return PortFilters(tuple(FilteredPort(port.port, port.macs, None) for port in filters.ports))


def _tracked(filters: PortFilters, zones: Mapping[str, int]) -> dict[str, TrackedPort]:
    found = {}
    for each in filters.ports:
        if each.groups is not None:
            addresses = (*each.port.own(4), *each.port.own(6), *each.routed)
            zone = zones[Layout.for_network(each.port.network.id).bridge]
            found[tap_name(each.port.id)] = TrackedPort(zone, addresses)
    return found


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
