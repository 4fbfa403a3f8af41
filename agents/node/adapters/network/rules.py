"""Expected rules of the node's network namespace, and their repair.

The rules are remembered, so that they are written again after another program has flushed them. They are also in a
file, which a firewall's service loads in the same step in which it flushes everything: see the playbook.
"""

import logging
import time
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any
from uuid import UUID

from agents.node.adapters.network import bridge, nft, node_rules, overlay_rules, port_rules, public_rules
from agents.node.adapters.network.group_filter import GroupFilter
from agents.node.adapters.network.kept_tables import KeptTables
from agents.node.adapters.network.layout import WAN_LEG, Layout
from agents.node.adapters.network.netlink import Netlink, link_names
from agents.node.adapters.network.nft_changes import generation
from agents.node.adapters.network.node_links import NodeLinks
from agents.node.adapters.network.node_rules import UplinkPolicy
from agents.node.adapters.network.router_rules import RouterRules
from agents.node.adapters.network.rules_present import has_node_rules, rules_present
from agents.node.adapters.network_specs import NetworkSpec, PortSpec, SegmentSpec
from agents.node.adapters.port_filters import PortFilters
from agents.node.adapters.public_addresses import NOTHING_PUBLIC, PublicAddresses
from agents.node.errors import AdapterError

log = logging.getLogger(__name__)

ALL_GONE = node_rules.REMOVAL + port_rules.REMOVAL + overlay_rules.REMOVAL
# A loss is repaired before the next heartbeat, so heartbeats report it for some time afterwards.
LOSS_REPORT_S = 300.0
LOST_ROUTES = "Routes of public addresses were gone or changed, and were set again."
LOST = "Rules of tenants' networks were gone or changed, and were written again (nftables)."


class Rules:
    """Holds the expected rules.

    Not thread-safe: the caller holds a lock. `file` is the copy that other services load.
    """

    def __init__(self, outside: UplinkPolicy, file: Path) -> None:
        self._outside = outside
        self._file = file
        self._ports: dict[UUID, PortSpec] = {}
        self._segments: dict[Layout, SegmentSpec] = {}
        self._node = ""
        self._seen: int | None = None  # the generation in which the rules were as expected
        self._good: tuple[str, dict[str, list[Any]]] | None = None  # what was written, and its listing by the kernel
        self.routers = RouterRules()
        self.groups = GroupFilter(outside.connections)
        self.public = NOTHING_PUBLIC
        self._public_tables = KeptTables(public_rules.TABLE)
        self._lost, self._lost_until_s = "", 0.0
        self._failure = ""

    def admit(self, ports: Sequence[PortSpec], links: NodeLinks) -> None:
        """Write the rules of these ports, besides the present ones."""
        limited = {key for key, port in self._ports.items() if port.bandwidth and port.bandwidth.to_guest}
        free = [port for port in ports if port.id in limited and not (port.bandwidth and port.bandwidth.to_guest)]
        self._ports |= {port.id: port for port in ports}
        self._node = self._node_rules(links)
        self._write(self._node + port_rules.admit(ports) + port_rules.unlimit(free))

    def expel(self, port: PortSpec, others: Sequence[PortSpec], links: NodeLinks) -> None:
        """Remove the rules of the port; the others of its network stay, which may be none."""
        self._ports.pop(port.id, None)
        self._node = self._node_rules(links)
        gone = "" if others else port_rules.forget_network(Layout.for_network(port.network.id))
        self._write(self._node + port_rules.admit(others) + port_rules.expel(port) + gone)

    def connect(self, layout: Layout, segment: SegmentSpec | None) -> None:
        """Write the rules of the network's segment; None: of no segment.

        Elements are changed one by one. Where the present rules may differ from the expected ones, or two segments have
        a number in common, the whole table is written.
        """
        old = self._segments.pop(layout, None)
        if old is None and segment is None:
            return
        numbers = {each.vni for each in (old, segment) if each is not None}
        is_alone = all(other.vni not in numbers for other in self._segments.values())
        by_element = bool(self._segments) and is_alone and generation() == self._seen
        if segment is not None:
            self._segments[layout] = segment
        text = overlay_rules.change(old, segment) if by_element else overlay_rules.ruleset(self._segments.values())
        if text:
            self._write(text)

    def replace(self, ports: Sequence[PortSpec], segments: Mapping[Layout, SegmentSpec], links: NodeLinks) -> None:
        """Write all rules, for exactly these ports and segments; without ports, remove all."""
        self._ports = {port.id: port for port in ports}
        self._segments = dict(segments) if ports else {}
        self._node = self._node_rules(links) if ports else ""
        self._write(port_rules.REMOVAL + self._all() if ports else ALL_GONE, is_whole=True)

    def report_earlier_loss(self, links: NodeLinks) -> None:
        """Report routers without rules: they were lost while no agent ran, since a reboot removes both."""
        if any(name.startswith(WAN_LEG) for name in links.addresses) and not has_node_rules():
            self.report_loss()

    def filter(self, filters: PortFilters, netlink: Netlink) -> str:
        """Write the rules of security groups. A bridge passes the IP hooks only while it has rules there.

        Returns the problem, for an operator; empty: none.
        """
        present, before = set(link_names().values()), self.groups.bridges
        self.groups.want(filters)
        after = self.groups.bridges
        bridge.set_ip_hooks((before - after) & present, netlink, is_on=False)
        if self._ports and before != after:
            links = NodeLinks.read(netlink)
            self._node = self._node_rules(links)
            self._write(self._node)
            self._write_public(links)
        if self.groups.keep():
            self.report_loss()
        self.groups.write()
        bridge.set_ip_hooks(after & present, netlink, is_on=True)
        return self.groups.problem

    def networks(self) -> dict[Layout, NetworkSpec]:
        """Return the networks of the ports."""
        return {Layout.for_network(port.network.id): port.network for port in self._ports.values()}

    def ports_of(self, network_id: UUID) -> list[PortSpec]:
        return [port for port in self._ports.values() if port.network.id == network_id]

    def underlay(self) -> set[IPv4Address]:
        """Return the node's own addresses in its segments."""
        return {segment.local for segment in self._segments.values()}

    def publish(self, public: PublicAddresses, links: NodeLinks) -> None:
        """Write the rules of public addresses. What leaves the addresses' table is refused at once."""
        had_any, self.public = bool(self.public), public
        if self._ports and had_any != bool(public):
            self._node = self._node_rules(links)
            self._write(self._node)
        self._write_public(links)

    def _write_public(self, links: NodeLinks) -> None:
        if self._public_tables.keep():
            self.report_loss()
        filtered = self.groups.bridges
        self._public_tables.want(public_rules.tables(self.public, self._outside, links, filtered=filtered))
        self._public_tables.write()

    def save(self) -> None:
        """Write the rules into the file, completely or not at all. Without ports the file is removed."""
        if not self._ports:
            self._file.unlink(missing_ok=True)
            return
        self._file.parent.mkdir(parents=True, exist_ok=True)
        draft = self._file.with_suffix(".new")
        draft.write_text(self._all() + self.groups.text() + self._public_tables.text())
        draft.chmod(0o600)
        draft.replace(self._file)

    def keep(self) -> None:
        """Write all rules again if any have changed since the last call, of the node or of a router.

        If the rules differ from the former ones afterwards, they had been lost.

        Raises:
            AdapterError: they cannot be written.
        """
        try:
            self._keep_own()
            for kept in (self.groups, self.routers, self._public_tables):  # the public ones come last: see there
                if kept.keep():
                    self.report_loss()
        except AdapterError as exc:
            self._failure = f"Rules of tenants' networks cannot be written: {exc.message}"
            raise
        self._failure = ""

    def _keep_own(self) -> None:
        now = generation()
        if now == self._seen:
            return
        text, before = self._all(), rules_present()
        if self._ports and (text, before) != self._good:
            nft.apply(text)
            now += 1  # our own commit; a higher number shows another commit in between
            after = rules_present()
            self._good = (text, after) if generation() == now else None
            if after != before:
                self.report_loss()
        self._seen = now

    def _write(self, text: str, *, is_whole: bool = False) -> None:
        """Apply the text. Rules that were as expected are so afterwards, and all rules (`is_whole`) in any case."""
        before, seen = generation(), self._seen
        self._seen = None  # unless it succeeds
        nft.apply(text)
        if (is_whole or before == seen) and generation() == before + 1:
            self._seen = before + 1

    def problem(self) -> str:
        """Return the problem, for an operator; empty: none, and none lately."""
        return self._failure or self.groups.problem or (self._lost if time.monotonic() < self._lost_until_s else "")

    def report_loss(self, problem: str = LOST) -> None:
        """Report the loss for LOSS_REPORT_S."""
        self._lost, self._lost_until_s = problem, time.monotonic() + LOSS_REPORT_S
        log.error("packet filter rules or routes lost", extra={"facts": {"problem": problem}})

    def _all(self) -> str:
        between_nodes = overlay_rules.ruleset(self._segments.values())
        return self._node + port_rules.admit(list(self._ports.values())) + between_nodes

    def _node_rules(self, links: NodeLinks) -> str:
        bridges = {Layout.for_network(port.network.id).bridge for port in self._ports.values()}
        return node_rules.ruleset(
            self._outside, links, bridges=bridges, filtered=self.groups.bridges, public=bool(self.public)
        )
