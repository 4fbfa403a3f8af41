"""Current links of the node's own network namespace. Never cached: any program may change them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv4Network, IPv6Interface
from pathlib import Path

from agents.node.adapters.network.layout import LAN_LEG, NAMESPACE, OVERLAY, WAN_LEG, Layout
from agents.node.adapters.network.namespaces import NAMESPACES
from agents.node.adapters.network.netlink import Netlink, link_names
from agents.node.errors import AdapterError

BRIDGE_ALIAS = "andromede network"


@dataclass(frozen=True, slots=True)
class NodeLinks:
    """Names of the links with their IPv4 addresses. `ipv6`: the node's own addresses but link-local ones."""

    addresses: Mapping[str, tuple[IPv4Interface, ...]]
    ipv6: tuple[IPv6Interface, ...] = ()

    @classmethod
    def read(cls, netlink: Netlink) -> "NodeLinks":
        names = link_names()
        by_name: dict[str, list[IPv4Interface]] = {name: [] for name in names.values()}
        for index, address in netlink.addresses():
            if index in names:  # else the link is newer than the names
                by_name[names[index]].append(address)
        ipv6 = tuple(address for _, address in netlink.ipv6_addresses())
        return cls({name: tuple(addresses) for name, addresses in by_name.items()}, ipv6)

    def __contains__(self, name: str) -> bool:
        return name in self.addresses

    def connected(self) -> list[IPv4Network]:
        """Return the networks that the node itself is plugged into."""
        return [
            address.network
            for name, addresses in self.addresses.items()
            if not name.startswith(WAN_LEG)
            for address in addresses
        ]

    def own(self) -> list[IPv4Network]:
        """Return the node's own addresses, each as a network."""
        return [
            IPv4Network(address.ip)
            for name, addresses in self.addresses.items()
            if not name.startswith(WAN_LEG)
            for address in addresses
        ]

    def transit(self, layout: Layout, pool: IPv4Network) -> IPv4Network:
        """Return the /31 between the node (first address) and the network's router (second address).

        It is read off the leg, or, for a new leg, the lowest one that overlaps nothing on this node: the kernel is the
        record of used ranges. The caller holds a lock until the leg has the address.
        """
        for address in self.addresses.get(layout.wan_leg, ()):
            if address.network.subnet_of(pool):
                return address.network
        taken = [address.network for addresses in self.addresses.values() for address in addresses]
        for candidate in pool.subnets(new_prefix=31):
            if not any(candidate.overlaps(network) for network in taken):
                return candidate
        raise AdapterError(f"All transit addresses of {pool} are in use.", retryable=False)

    def has_routers_besides(self, layout: Layout) -> bool:
        return any(name.startswith(WAN_LEG) and name != layout.wan_leg for name in self.addresses)


def layouts_present(links: NodeLinks, netlink: Netlink, dhcp_folder: Path) -> set[Layout]:
    """Return every network of which any part is left on this node, be it a bridge alone or a file of its dnsmasq."""
    bridges = {layout for layout in _owners(links.addresses, "br") if _is_ours(layout.bridge, netlink)}
    namespaces = [path.name for path in NAMESPACES.glob("*")]
    return {
        *_owners(links.addresses, LAN_LEG),
        *_owners(links.addresses, WAN_LEG),
        *_owners(links.addresses, OVERLAY),
        *bridges,
        *_owners(namespaces, NAMESPACE),
        *_owners((path.stem for path in dhcp_folder.glob("*")), ""),
    }


def _is_ours(bridge: str, netlink: Netlink) -> bool:
    link = netlink.link(bridge)
    return link is not None and link.alias == BRIDGE_ALIAS


def _owners(names: Iterable[str], prefix: str) -> set[Layout]:
    return {layout for name in names if (layout := Layout.owning(name, prefix)) is not None}
