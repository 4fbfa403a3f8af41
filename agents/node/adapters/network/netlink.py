"""Links, addresses, routes and forwarding entries of a network namespace, over netlink (rtnetlink(7), pyroute2).

Links are addressed by name. A dump of all links costs pyroute2 more than a millisecond for each, so the C library reads
the names, and attributes are read of single links.
"""

import errno
import os
import socket
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
    ip_address,
    ip_interface,
    ip_network,
)
from typing import Any, Self

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError
from pyroute2.netlink.rtnl.ifaddrmsg import IFA_F_NODAD

from agents.node.errors import AdapterError

MAIN_TABLE = 254
PROTOCOL = 99  # of routes that the agent makes, other than those that come with addresses
BLACKHOLE = 6  # RTN_BLACKHOLE
PERMANENT = 0x80  # NUD_PERMANENT
FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
ANY = {socket.AF_INET: "0.0.0.0", socket.AF_INET6: "::"}  # of a default route, which has no destination


@dataclass(frozen=True, slots=True)
class Link:
    """A link. `vni` and `local` are those of a VXLAN device with the port `port`."""

    name: str
    mac: str
    alias: str
    mtu: int
    vni: int | None
    local: IPv4Address | None
    port: int | None


@dataclass(frozen=True, slots=True)
class Route:
    """A route of this agent's. Without a device it is a black hole: packets are dropped."""

    to: IPv4Network | IPv6Network
    device: str = ""
    gateway: IPv4Address | IPv6Address | None = None


def link_names() -> dict[int, str]:
    """Return the names of all links by index, in the calling thread's network namespace."""
    return dict(socket.if_nameindex())


class Netlink:
    """A socket into the network namespace of the calling thread, which alone may use it.

    Each method raises AdapterError if the kernel refuses.
    """

    def __init__(self) -> None:
        self._ip = IPRoute(strict_check=True)  # the kernel filters what is listed

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._ip.close()

    # ---- links

    def link(self, name: str) -> Link | None:
        message: Any = None
        with _asking(f"show {name}", unless=errno.ENODEV):
            (message,) = self._ip.link("get", ifname=name)
        return message and _parse(name, message)

    def add_link(self, name: str, kind: str, **options: object) -> None:
        with _asking(f"add {name}"):
            self._ip.link("add", ifname=name, kind=kind, **options)

    def add_macvlan(self, name: str, *, on: str, mac: str) -> None:
        """Add a device with a MAC address of its own on the link `on`."""
        self.add_link(name, "macvlan", link=_index(on), address=mac, macvlan_mode="private")

    def change_link(self, name: str, **changes: object) -> None:
        with _asking(f"change {name}"):
            self._ip.link("set", ifname=name, **changes)

    def plug(self, name: str, *, bridge: str | None) -> None:
        """Plug the link into the bridge; None: into no bridge."""
        self.change_link(name, master=_index(bridge) if bridge else 0)

    def remove_link(self, name: str) -> None:
        """Remove the link. It may be absent: the kernel clears a removed namespace in the background."""
        with _asking(f"remove {name}", unless=errno.ENODEV):
            self._ip.link("del", ifname=name)

    # ---- addresses and routes

    def addresses(self) -> list[tuple[int, IPv4Interface]]:
        """Return all IPv4 addresses, with the index of their link."""
        with _asking("list addresses"):
            return [
                (message["index"], IPv4Interface((message.get("local"), message["prefixlen"])))
                for message in self._ip.get_addr(family=socket.AF_INET)
            ]

    def ipv6_addresses(self) -> list[tuple[int, IPv6Interface]]:
        """Return all IPv6 addresses but link-local ones, with the index of their link."""
        with _asking("list addresses"):
            addresses = [
                (each["index"], IPv6Interface((each.get("address"), each["prefixlen"])))
                for each in self._ip.get_addr(family=socket.AF_INET6)
            ]
        return [(index, address) for index, address in addresses if not address.is_link_local]

    def ensure_address(self, name: str, address: IPv4Interface | IPv6Interface) -> None:
        """Add the address. An IPv6 address is used at once, without a search for duplicates."""
        flags = {"flags": IFA_F_NODAD} if address.version == 6 else {}
        length = address.network.prefixlen
        with _asking(f"add {address} to {name}"):
            self._ip.addr("replace", index=_index(name), address=str(address.ip), prefixlen=length, **flags)

    def set_addresses(self, name: str, addresses: Collection[IPv4Interface | IPv6Interface]) -> None:
        """Give the link exactly these addresses. An IPv6 address is used at once, without a search for duplicates."""
        index = _index(name)
        with _asking(f"list addresses of {name}"):
            present = {
                ip_interface(f"{message.get('local') or message.get('address')}/{message['prefixlen']}")
                for message in self._ip.get_addr(index=index)
            }
        for gone in present - set(addresses):
            with _asking(f"remove {gone} from {name}", unless=errno.EADDRNOTAVAIL):
                self._ip.addr("del", index=index, address=str(gone.ip), prefixlen=gone.network.prefixlen)
        for address in addresses:
            flags = {"flags": IFA_F_NODAD} if address.version == 6 else {}
            with _asking(f"add {address} to {name}"):
                length = address.network.prefixlen
                self._ip.addr("replace", index=index, address=str(address.ip), prefixlen=length, **flags)

    def ensure_neighbour(self, name: str, address: IPv4Address, mac: str) -> None:
        """Set the neighbour's MAC address, for good: the kernel does not ask for it."""
        with _asking(f"add the neighbour {address} of {name}"):
            self._ip.neigh("replace", ifindex=_index(name), dst=str(address), lladdr=mac, state=PERMANENT)

    def ensure_default_route(self, gateway: IPv4Address | IPv6Address, name: str) -> None:
        with _asking(f"route by {gateway}"):
            family = FAMILIES[gateway.version]
            self._ip.route("replace", family=family, dst="default", gateway=str(gateway), oif=_index(name))

    def set_routes(self, routes: Collection[Route], *, version: int, table: int = MAIN_TABLE) -> bool:
        """Give the table exactly these routes of IP version 4 or 6, besides those of other programs.

        Returns whether it had others.
        """
        present = self.routes(version=version, table=table)
        for gone in present - set(routes):
            with _asking(f"remove the route to {gone.to}", unless=errno.ESRCH):
                self._ip.route("del", **_route(gone, table))
        for route in set(routes) - present:
            with _asking(f"add a route to {route.to}"):
                self._ip.route("replace", **_route(route, table))
        return present != set(routes)

    def routes(self, *, version: int, table: int = MAIN_TABLE) -> set[Route]:
        """Return the agent's routes of the table. Those by a link that is just going are left out."""
        names, present = link_names(), set()
        with _asking("list routes", unless=errno.ENOENT):  # no table
            present = {
                _parse_route(message, names)
                for message in self._ip.get_routes(family=FAMILIES[version], table=table, proto=PROTOCOL)
                if message["type"] == BLACKHOLE or message.get("oif") in names
            }
        return present

    def ensure_routing_rule(self, priority: int, table: int, *, version: int, mark: int = 0) -> bool:
        """Look routes up in the table at this priority; `mark`: of packets with these bits of the mark alone.

        Returns whether there was no such rule.
        """
        return self._change_rule("add", _rule(priority, table, version, mark), unless=errno.EEXIST)

    def remove_routing_rule(self, priority: int, table: int, *, version: int, mark: int = 0) -> bool:
        """Remove the rule; returns whether there was one."""
        return self._change_rule("del", _rule(priority, table, version, mark), unless=errno.ENOENT)

    def _change_rule(self, verb: str, rule: Mapping[str, object], *, unless: int) -> bool:
        is_done = False
        with _asking(f"{verb} the routing rule for table {rule['table']}", unless=unless):
            self._ip.rule(verb, **rule)
            is_done = True
        return is_done

    # ---- forwarding entries of a VXLAN device

    def forwarding_entries(self, name: str) -> list[tuple[str, IPv4Address]]:
        """Return the MAC addresses of the device's entries, each with its node's address."""
        with _asking(f"list entries of {name}"):
            # without dump_filter=None the entries of all devices would be listed, and filtered by pyroute2
            entries = self._ip.fdb("dump", ifindex=_index(name), dump_filter=None)
            return [(each.get("lladdr"), IPv4Address(each.get("dst"))) for each in entries if each.get("dst")]

    def add_forwarding_entry(self, name: str, mac: str, node: IPv4Address) -> None:
        with _asking(f"add an entry to {name}"):
            self._ip.fdb("append", ifindex=_index(name), lladdr=mac, dst=str(node))

    def remove_forwarding_entry(self, name: str, mac: str, node: IPv4Address) -> None:
        """Remove the entry; an entry that the device learned may have expired."""
        with _asking(f"remove an entry of {name}", unless=errno.ENOENT):
            self._ip.fdb("del", ifindex=_index(name), lladdr=mac, dst=str(node))


def _route(route: Route, table: int) -> dict[str, object]:
    way: dict[str, object] = {"type": "blackhole"}
    if route.device:
        gateway = {"gateway": str(route.gateway)} if route.gateway is not None else {"scope": "link"}
        way = {"oif": _index(route.device), **gateway}
    family = FAMILIES[route.to.version]
    return {"family": family, "dst": str(route.to), "table": table, "proto": PROTOCOL, **way}


def _parse_route(message: Any, names: Mapping[int, str]) -> Route:
    to = ip_network(f"{message.get('dst') or ANY[message['family']]}/{message['dst_len']}")
    if message["type"] == BLACKHOLE:
        return Route(to)
    gateway = message.get("gateway")
    return Route(to, names[message.get("oif")], gateway and ip_address(gateway))


def _rule(priority: int, table: int, version: int, mark: int) -> dict[str, object]:
    marked = {"fwmark": mark, "fwmask": mark} if mark else {}
    return {"family": FAMILIES[version], "priority": priority, "table": table, **marked}


def _parse(name: str, message: Any) -> Link:
    local = message.get(("linkinfo", "data", "vxlan_local"))
    return Link(
        name=name,
        mac=message.get("address") or "",
        alias=message.get("ifalias") or "",
        mtu=message.get("mtu"),
        vni=message.get(("linkinfo", "data", "vxlan_id")),
        local=local and IPv4Address(local),
        port=message.get(("linkinfo", "data", "vxlan_port")),
    )


def _index(name: str) -> int:
    try:
        return socket.if_nametoindex(name)
    except OSError as exc:
        raise AdapterError(f"There is no link {name}.", retryable=True) from exc


@contextmanager
def _asking(what: str, *, unless: int | None = None) -> Iterator[None]:
    """Turn a refusal of the kernel into AdapterError; one with the errno `unless` is none."""
    try:
        yield
    except NetlinkError as exc:
        if exc.code != unless:
            message = f"Netlink: cannot {what}: {os.strerror(exc.code)}"
            raise AdapterError(message, retryable=True) from exc
