"""The node's tenant networks: an implementation of `Switch` with Linux bridges and router namespaces.

    guest ── tap ─┐                    node's namespace ╎ router's namespace
    guest ── tap ─┼─ bridge ── rtl-… ───────────────────╎── lan (gateway, DHCP, names)
    nodes ── vxl-… ┘                                    ╎    │ forwards, hides the tenant's addresses
    outside ── uplink ── forwards, hides ── rtw-… ──────╎── wan

Bridges have no address. The way of a frame is limited by port_rules on the bridge, by the rules of the router, by
node_rules between router and outside, by public_rules for public addresses, by overlay_rules between nodes, and by
group_rules for ports with security groups; their docstrings hold the details and the reasons. A network that has no
segment has the guests of this node alone.

Every call brings all parts of the one network to the desired state, whatever was missing; what is in place is
left alone. Nothing is remembered between calls but the ports and segments that the rules are for (see rules): names are
derived from ids, the rest is read from the kernel.

Side effects on the node's namespace: IPv4 forwarding is on as soon as there is a tenant network, also between
the node's other devices; bridged frames are kept out of the node's IP firewall (net.bridge.bridge-nf-call-*);
established TCP connections that are silent for an hour are forgotten by connection tracking.
"""

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path
from threading import Lock
from uuid import UUID

from agents.node.adapters.channel import Channel
from agents.node.adapters.interfaces import NetworkProblems
from agents.node.adapters.network import (
    bridge,
    dhcp,
    guest_tcp,
    namespaces,
    overlay,
    port_counters,
    port_rules,
    public_routes,
    router,
    router_egress,
    router_public,
)
from agents.node.adapters.network.connections import ConnectionTable
from agents.node.adapters.network.dhcp import Dhcp
from agents.node.adapters.network.guest_connections import GuestConnections
from agents.node.adapters.network.layout import Layout
from agents.node.adapters.network.metadata import MetadataService
from agents.node.adapters.network.names import Names
from agents.node.adapters.network.netlink import Netlink, link_names
from agents.node.adapters.network.node_links import NodeLinks, layouts_present
from agents.node.adapters.network.node_rules import UplinkPolicy
from agents.node.adapters.network.rule_watcher import RuleWatcher
from agents.node.adapters.network.rules import LOST_ROUTES, Rules
from agents.node.adapters.network_specs import HostName, NetworkSpec, PortSpec, SegmentSpec, tap_name
from agents.node.adapters.port_filters import NOTHING_FILTERED, PortCounters, PortFilters
from agents.node.adapters.public_addresses import NOTHING_PUBLIC, Egress, LocalAddress, PublicAddresses
from agents.node.errors import AdapterError

log = logging.getLogger(__name__)

RUNTIME_DIR = Path("/run/andromede")
_DEVICE = re.compile(r"[A-Za-z0-9_.-]{1,15}")
_TAP = re.compile(r"tap[0-9a-f]{11}")


class LinuxSwitch:
    """The switch. `runtime_dir` may vanish with a reboot, and is readable for dnsmasq's user.

    `guest_connections`: the connections of guests that migrate; their use waits for no other call.
    """

    def __init__(
        self,
        outside: UplinkPolicy | None = None,
        *,
        runtime_dir: Path = RUNTIME_DIR,
        metadata: MetadataService | None = None,
    ) -> None:
        self._outside = outside or UplinkPolicy()
        if self._outside.uplink and not _DEVICE.fullmatch(self._outside.uplink):
            raise ValueError(f"{self._outside.uplink!r} is no name of a network device.")
        self._runtime_dir = runtime_dir
        self._metadata = metadata
        self._rules = Rules(self._outside, runtime_dir / "rules.nft")
        self._connections = ConnectionTable()
        self._has_nothing_public = False  # neither rules nor routes of public addresses, also of an earlier agent
        self._published: dict[Layout, tuple[tuple[LocalAddress, ...], Egress | None]] = {}  # what the routers have
        self.guest_connections = GuestConnections(lambda: self._rules.groups.tracked)
        self._reverse_path = ""  # the problem
        self._lock = Lock()  # transit addresses and the tables of rules belong to all networks

    def ensure_port(self, port: PortSpec, others: Sequence[PortSpec]) -> None:
        ports = [port, *others]
        _check(ports)
        with self._alone(), Netlink() as netlink:
            links = NodeLinks.read(netlink)
            self._rules.admit(ports, links)
            self._ensure_network(port.network, ports, links, netlink)
            self._rules.save()

    def remove_port(self, port: PortSpec, others: Sequence[PortSpec]) -> None:
        """Remove the port. A tap that still exists is unplugged before its rules go."""
        _check([port, *others])
        layout = Layout.for_network(port.network.id)
        with self._alone(), Netlink() as netlink:
            links = NodeLinks.read(netlink)
            bridge.unplug(tap_name(port.id), links, netlink)
            if others:
                self._rules.expel(port, others, links)
                self._ensure_network(port.network, others, links, netlink)
            elif links.has_routers_besides(layout):
                self._remove_network(layout, links, netlink)
                self._rules.expel(port, others, links)
            else:
                self._rules.filter(NOTHING_FILTERED, netlink)
                self._remove_network(layout, links, netlink)
                self._rules.replace([], {}, links)
            self._rules.save()

    def ensure_segment(self, network: NetworkSpec, segment: SegmentSpec | None) -> str:
        """Connect a network that has a bridge here: rules first, so that a former peer is excluded at once.

        Without its own address on the underlay, the node takes no part.
        """
        layout = Layout.for_network(network.id)
        with self._alone(), Netlink() as netlink:
            underlay = overlay.underlay(segment.local, netlink) if segment else None
            connected = segment if underlay else None
            overlay.remove_other(layout, connected, netlink)
            self._rules.connect(layout, connected)
            if connected is not None:
                overlay.ensure(network, connected, netlink)
            self._rules.save()
        return overlay.problem(network, segment, underlay) if segment else ""

    def ensure_filters(self, filters: PortFilters) -> str:
        """Filter the ports by security groups."""
        with self._alone(), Netlink() as netlink:
            problem = self._rules.filter(filters, netlink)
            self._rules.save()
            return problem

    def ensure_public(self, public: PublicAddresses) -> str:
        """Give the ports exactly these public addresses. Traffic to removed addresses is refused first."""
        unused, usable = _without_ipv6(public.local), _usable(public)
        problem = "" if self._has_nothing_public and not usable else self._publish(usable)
        return " ".join(filter(None, (problem, unused)))

    def _publish(self, public: PublicAddresses) -> str:
        self._has_nothing_public = False  # until all of it has succeeded
        with self._alone(), Netlink() as netlink:
            links = NodeLinks.read(netlink)
            self._rules.publish(public, links)
            failures = list(self._publish_networks(links, netlink))
            outcome = public_routes.ensure(public, links, netlink, underlay=self._rules.underlay())
            self._check_reverse_path(links)
            self._rules.save()
            if failures:
                raise failures[0]
            self._has_nothing_public = not public and not outcome.problem
        return outcome.problem

    def _check_reverse_path(self, links: NodeLinks) -> None:
        underlay = self._rules.underlay() if self._rules.public else ()
        self._reverse_path = public_routes.reverse_path_problem(underlay, links)

    def _publish_networks(self, links: NodeLinks, netlink: Netlink) -> Iterator[Exception]:
        """Give each router its public addresses. One that fails keeps no other one from them."""
        for layout, network in self._rules.networks().items():
            if bridge.has_router(layout, links):
                try:
                    self._publish_network(network, links, netlink)
                except (AdapterError, OSError) as exc:
                    yield exc

    def _publish_network(self, network: NetworkSpec, links: NodeLinks, netlink: Netlink) -> None:
        """Give the network's router its public addresses, if it has others."""
        layout, public = Layout.for_network(network.id), self._rules.public
        new, egress = public.of_network(network.id), public.egress_of(network.id)
        old, left = self._published.get(layout, ((), None))
        if (old, left) == (new, egress):
            return
        public_routes.prepare_leg(layout, has_ipv6=router_public.has_ipv6(network, new), netlink=netlink)
        gone = [*router_public.gone(old, new), *router_egress.gone(left, egress)]
        ports = self._rules.ports_of(network.id)
        rules = router.publish(network, ports, self._outside, links, public, gone=gone)
        self._rules.routers.written(layout, rules)
        self._published[layout] = new, egress

    def ensure_names(self, network: NetworkSpec, names: Sequence[HostName]) -> None:
        """Have the resolver of a network that is here answer for exactly these names."""
        with self._alone():
            layout = Layout.for_network(network.id)
            if network.subnets and namespaces.is_alive(layout.namespace):
                self._names(layout).ensure(network, names)

    def restore(
        self,
        ports: Sequence[PortSpec],
        segments: Mapping[UUID, SegmentSpec],
        filters: PortFilters,
        public: PublicAddresses = NOTHING_PUBLIC,
    ) -> None:
        """Restore all networks; also replaces all rules, which an older agent may have made."""
        _check(ports)
        networks = {port.network.id: port.network for port in ports}
        with self._alone(), Netlink() as netlink:
            self._replace_rules(ports, segments, filters, netlink)
            self._rules.publish(_usable(public), NodeLinks.read(netlink))
            for network in networks.values():
                members = [port for port in ports if port.network.id == network.id]
                self._ensure_network(network, members, NodeLinks.read(netlink), netlink)
        if problem := " ".join(filter(None, (self._publish(_usable(public)), _without_ipv6(public.local)))):
            log.warning("public address problem", extra={"facts": {"problem": problem}})
        for network in networks.values():
            if problem := self.ensure_segment(network, segments.get(network.id)):
                log.warning("underlay problem", extra={"facts": {"network": str(network.id), "problem": problem}})

    def problems(self) -> NetworkProblems:
        rules = " ".join(filter(None, (self._rules.problem(), self._reverse_path)))
        return NetworkProblems(rules=rules, connections=self._connections.problem())

    def counters(self) -> Mapping[str, PortCounters]:
        """Return the counters of the ports; reading them waits for no other call."""
        return port_counters.read()

    def guard(self) -> RuleWatcher:
        return RuleWatcher(self.keep_rules, self.keep_routes)

    def keep_rules(self) -> None:
        """Write the rules again if they differ from the expected ones. The check is cheap while nothing changes."""
        with self._alone():
            self._rules.keep()

    def keep_routes(self) -> None:
        """Set routes and routing rules of public addresses again if they differ from the expected ones."""
        with self._alone(), Netlink() as netlink:
            public, links = self._rules.public, NodeLinks.read(netlink)
            if not public:
                return
            self._check_reverse_path(links)
            outcome = public_routes.ensure(public, links, netlink, underlay=self._rules.underlay())
            lost = [outcome.has_changed]
            for layout, network in self._rules.networks().items():
                has_any = public.of_network(network.id) or public.egress_of(network.id)
                if has_any and namespaces.is_alive(layout.namespace):
                    lost.append(router.keep_routes(network, public))
            if any(lost):
                self._rules.report_loss(LOST_ROUTES)

    def connect_tcp(self, port: PortSpec, address: IPv4Address, tcp_port: int, *, timeout_s: float) -> Channel:
        return guest_tcp.connect(port.network.id, address, tcp_port, timeout_s=timeout_s)

    def taps(self) -> Mapping[str, str]:
        with Netlink() as netlink:
            links = [netlink.link(name) for name in link_names().values() if _TAP.fullmatch(name)]
        return {link.name: link.mac for link in links if link is not None}

    def silence_tap(self, device: str) -> bool:
        return self._set_tap(device, "down")

    def open_tap(self, device: str) -> bool:
        return self._set_tap(device, "up")

    def remove_tap(self, device: str) -> bool:
        if not _is_tap(device):
            return False
        with Netlink() as netlink:
            netlink.remove_link(device)
        return True

    def _set_tap(self, device: str, to: str) -> bool:
        if not _is_tap(device):
            return False
        with Netlink() as netlink:
            netlink.change_link(device, state=to)
        return True

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with self._lock:
            try:
                yield
            except OSError as exc:
                raise AdapterError(f"The network differs from its desired state: {exc}", retryable=True) from exc

    def _replace_rules(
        self,
        ports: Sequence[PortSpec],
        segments: Mapping[UUID, SegmentSpec],
        filters: PortFilters,
        netlink: Netlink,
    ) -> None:
        """Write all rules, after removing the devices for which there are none any more."""
        links = NodeLinks.read(netlink)
        segments_by_layout = {layout: segments.get(network) for network, layout in _layouts(ports).items()}
        self._rules.report_earlier_loss(links)
        if problem := self._rules.filter(filters, netlink):
            log.warning("security group problem", extra={"facts": {"problem": problem}})
        for layout in sorted(layouts_present(links, netlink, self._runtime_dir) - segments_by_layout.keys()):
            self._remove_network(layout, links, netlink)
        for layout, segment in segments_by_layout.items():
            overlay.remove_other(layout, segment, netlink)
        self._rules.replace(
            ports, {layout: segment for layout, segment in segments_by_layout.items() if segment}, links
        )
        self._rules.save()

    def _ensure_network(
        self, network: NetworkSpec, ports: Sequence[PortSpec], links: NodeLinks, netlink: Netlink
    ) -> None:
        layout = Layout.for_network(network.id)
        server, names = Dhcp(layout, self._runtime_dir), self._names(layout)
        if not bridge.has_router(layout, links):
            server.stop()  # they would go on listening on the devices of a router that is gone
            names.stop()
            if self._metadata is not None:
                self._metadata.unlisten(layout)
        transit = links.transit(layout, self._outside.transit_pool)
        has_ip_hooks = layout.bridge in self._rules.groups.bridges
        public = self._rules.public
        bridge.ensure(
            network,
            ports,
            links,
            netlink,
            node_end=transit[0],
            has_ip_hooks=has_ip_hooks,
        )
        has_ipv6 = router_public.has_ipv6(network, public.of_network(network.id))
        public_routes.prepare_leg(layout, has_ipv6=has_ipv6, netlink=netlink)
        rules = router.ensure(network, ports, self._outside, links, transit=transit, public=public)
        self._rules.routers.written(layout, rules)
        # Where a publication has failed, the next one still has the former addresses' connections to end.
        self._published.setdefault(layout, (public.of_network(network.id), public.egress_of(network.id)))
        if network.subnets:
            server.ensure(network, ports)
            names.ensure(network)
            if self._metadata is not None:
                self._metadata.listen(layout)
        else:
            server.remove()
            names.remove()

    def _names(self, layout: Layout) -> Names:
        return Names(layout, self._runtime_dir, self._outside.resolvers)

    def _remove_network(self, layout: Layout, links: NodeLinks, netlink: Netlink) -> None:
        self._rules.routers.forget(layout)
        self._published.pop(layout, None)
        if self._metadata is not None:
            self._metadata.unlisten(layout)
        Dhcp(layout, self._runtime_dir).remove()
        self._names(layout).remove()
        overlay.remove_other(layout, None, netlink)
        self._rules.connect(layout, None)
        bridge.remove(layout, links, netlink)


def _check(ports: Sequence[PortSpec]) -> None:
    port_rules.check(ports)
    dhcp.check(ports)


def _usable(public: PublicAddresses) -> PublicAddresses:
    return replace(public, local=tuple(each for each in public.local if _is_usable(each)))


def _is_usable(local: LocalAddress) -> bool:
    return local.address.version == 4 or bool(local.port.network.of_family(6))


def _without_ipv6(local: Sequence[LocalAddress]) -> str:
    """Return the problem of IPv6 addresses in networks without IPv6; empty: there are none."""
    unused = [str(each.address) for each in local if not _is_usable(each)]
    if not unused:
        return ""
    return f"Public addresses of IPv6 are not used, since their networks have no IPv6 subnet: {', '.join(unused[:5])}."


def _layouts(ports: Sequence[PortSpec]) -> dict[UUID, Layout]:
    return {port.network.id: Layout.for_network(port.network.id) for port in ports}


def _is_tap(device: str) -> bool:
    return _TAP.fullmatch(device) is not None and device in link_names().values()
