"""Current links of the node's own network namespace. Never cached: any program may change them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv4Network
from pathlib import Path

from agents.node.adapters.network.layout import LAN_LEG, NAMESPACE, OVERLAY, WAN_LEG, Layout
from agents.node.adapters.network.tools import NAMESPACES, ip_json
from agents.node.errors import AdapterError

BRIDGE_ALIAS = "andromede network"


@dataclass(frozen=True, slots=True)
class NodeLinks:
    """Names of the links with their IPv4 addresses."""

    addresses: Mapping[str, tuple[IPv4Interface, ...]]

    @classmethod
    def read(cls) -> "NodeLinks":
        return cls(
            {
                link["ifname"]: tuple(
                    IPv4Interface(f"{address['local']}/{address['prefixlen']}")
                    for address in link["addr_info"]
                    if address["family"] == "inet"
                )
                for link in ip_json(["addr", "show"])
            }
        )

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


def layouts_present(links: NodeLinks, dhcp_folder: Path) -> set[Layout]:
    """Return every network of which any part is left on this node, be it a bridge alone or a file of its dnsmasq."""
    bridges = [
        link["ifname"] for link in ip_json(["link", "show", "type", "bridge"]) if link.get("ifalias") == BRIDGE_ALIAS
    ]
    namespaces = [path.name for path in NAMESPACES.glob("*")]
    return {
        *_owners(links.addresses, LAN_LEG),
        *_owners(links.addresses, WAN_LEG),
        *_owners(links.addresses, OVERLAY),
        *_owners(bridges, "br"),
        *_owners(namespaces, NAMESPACE),
        *_owners((path.stem for path in dhcp_folder.glob("*")), ""),
    }


def _owners(names: Iterable[str], prefix: str) -> set[Layout]:
    return {layout for name in names if (layout := Layout.owning(name, prefix)) is not None}
