"""Links, addresses, routes and forwarding entries of a network namespace, over netlink (rtnetlink(7), pyroute2).

Links are addressed by name. A dump of all links costs pyroute2 more than a millisecond for each, so the C library reads
the names, and attributes are read of single links.
"""

import errno
import os
import socket
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv6Interface, ip_interface
from typing import Any, Self

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError
from pyroute2.netlink.rtnl.ifaddrmsg import IFA_F_NODAD

from agents.node.errors import AdapterError


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
        found: Any = None
        with _asking(f"show {name}", unless=errno.ENODEV):
            (found,) = self._ip.link("get", ifname=name)
        return found and _parse(name, found)

    def add_link(self, name: str, kind: str, **options: object) -> None:
        with _asking(f"add {name}"):
            self._ip.link("add", ifname=name, kind=kind, **options)

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
                (found["index"], IPv4Interface((found.get("local"), found["prefixlen"])))
                for found in self._ip.get_addr(family=socket.AF_INET)
            ]

    def ensure_address(self, name: str, address: IPv4Interface) -> None:
        with _asking(f"add {address} to {name}"):
            self._ip.addr("replace", index=_index(name), address=str(address.ip), prefixlen=address.network.prefixlen)

    def set_addresses(self, name: str, addresses: Collection[IPv4Interface | IPv6Interface]) -> None:
        """Give the link exactly these addresses. An IPv6 address is used at once, without a search for duplicates."""
        index = _index(name)
        with _asking(f"list addresses of {name}"):
            present = {
                ip_interface(f"{found.get('local') or found.get('address')}/{found['prefixlen']}")
                for found in self._ip.get_addr(index=index)
            }
        for gone in present - set(addresses):
            with _asking(f"remove {gone} from {name}", unless=errno.EADDRNOTAVAIL):
                self._ip.addr("del", index=index, address=str(gone.ip), prefixlen=gone.network.prefixlen)
        for address in addresses:
            flags = {"flags": IFA_F_NODAD} if address.version == 6 else {}
            with _asking(f"add {address} to {name}"):
                length = address.network.prefixlen
                self._ip.addr("replace", index=index, address=str(address.ip), prefixlen=length, **flags)

    def ensure_default_route(self, gateway: IPv4Address, name: str) -> None:
        with _asking(f"route by {gateway}"):
            self._ip.route("replace", dst="default", gateway=str(gateway), oif=_index(name))

    # ---- forwarding entries of a VXLAN device

    def forwarding_entries(self, name: str) -> list[tuple[str, IPv4Address]]:
        """Return the MAC addresses of the device's entries, each with its node's address."""
        with _asking(f"list entries of {name}"):
            # without dump_filter=None the entries of all devices would be listed, and filtered by pyroute2
            found = self._ip.fdb("dump", ifindex=_index(name), dump_filter=None)
            return [(each.get("lladdr"), IPv4Address(each.get("dst"))) for each in found if each.get("dst")]

    def add_forwarding_entry(self, name: str, mac: str, node: IPv4Address) -> None:
        with _asking(f"add an entry to {name}"):
            self._ip.fdb("append", ifindex=_index(name), lladdr=mac, dst=str(node))

    def remove_forwarding_entry(self, name: str, mac: str, node: IPv4Address) -> None:
        """Remove the entry; an entry that the device learned may have expired."""
        with _asking(f"remove an entry of {name}", unless=errno.ENOENT):
            self._ip.fdb("del", ifindex=_index(name), lladdr=mac, dst=str(node))


def _parse(name: str, found: Any) -> Link:
    local = found.get(("linkinfo", "data", "vxlan_local"))
    return Link(
        name=name,
        mac=found.get("address") or "",
        alias=found.get("ifalias") or "",
        mtu=found.get("mtu"),
        vni=found.get(("linkinfo", "data", "vxlan_id")),
        local=local and IPv4Address(local),
        port=found.get(("linkinfo", "data", "vxlan_port")),
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
