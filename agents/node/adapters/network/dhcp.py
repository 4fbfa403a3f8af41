"""DHCP and router advertisements on a tenant network: one dnsmasq in the router's namespace, for the known cards only.

It stores no leases on disk: the hosts file has the address of each port for as long as the port exists, and a restarted
dnsmasq confirms the guests' renewals. It answers no DNS queries (see names).
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from itertools import accumulate, chain
from pathlib import Path
from typing import TypeVar

from agents.node.adapters.network import dnsmasq
from agents.node.adapters.network.layout import Layout
from agents.node.adapters.network.router import LAN
from agents.node.adapters.network_specs import DOMAIN, Address, NetworkSpec, PortSpec, SubnetSpec
from agents.node.errors import BadRequest
from andromede_core.permits.dhcp_options import MAX_NTP_SERVERS, search_bytes

T = TypeVar("T")

LEASE = "1h"
ADVERTISED_EVERY_S, ROUTER_LIFETIME_S = 60, 1800
MAX_OPTION_BYTES = 255
NO_ADDRESS = IPv4Address(0)
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class Dhcp:
    """Runs dnsmasq, which reads the hosts file as an unprivileged user: `folder` must be reachable for every user."""

    layout: Layout
    folder: Path

    @property
    def hosts_file(self) -> Path:
        return self.folder / f"{self.layout.tail}.hosts"

    @property
    def pid_file(self) -> Path:
        return self.folder / f"{self.layout.tail}.pid"

    def ensure(self, network: NetworkSpec, ports: Sequence[PortSpec]) -> None:
        """Serve exactly these ports. New ones are announced to the running dnsmasq.

        dnsmasq is restarted when an entry went or changed, since it would remember the address as leased. It is stopped
        before the file is written: an agent that dies in between finds no dnsmasq with an outdated memory.
        """
        desired = hosts(ports)
        command = self.command(network)
        present = self.hosts_file.read_text() if self.hosts_file.exists() else ""
        with dnsmasq.running(self.pid_file) as process:
            if process is not None:
                if process.command == command and _only_grows(present, desired):
                    dnsmasq.write(self.hosts_file, desired)
                    process.reread()
                    return
                process.stop()
        dnsmasq.write(self.hosts_file, desired)
        dnsmasq.start(self.layout.namespace, command)

    def stop(self) -> None:
        dnsmasq.stop(self.pid_file)

    def remove(self) -> None:
        self.stop()
        self.hosts_file.unlink(missing_ok=True)
        self.pid_file.unlink(missing_ok=True)

    def command(self, network: NetworkSpec) -> list[str]:
        """Return the command line, which states the whole configuration but the hosts."""
        return [
            *dnsmasq.BASICS,
            f"--pid-file={self.pid_file}",
            "--port=0",
            f"--interface={LAN}",
            "--except-interface=lo",
            "--bind-interfaces",
            "--leasefile-ro",
            "--dhcp-authoritative",
            "--quiet-dhcp",
            f"--dhcp-hostsfile={self.hosts_file}",
            f"--dhcp-option=option:mtu,{network.mtu}",
            *(option for number, subnet in enumerate(network.of_family(4)) for option in _ipv4_options(number, subnet)),
            *_ipv6_options(network),
        ]


def _ipv4_options(number: int, subnet: SubnetSpec) -> list[str]:
    """Return the options of one subnet; each has a tag, since the options are the subnet's own.

    A client that takes classless static routes takes no router (RFC 3442): the default route is among them.
    """
    tag, gateway = f"subnet{number}", str(subnet.gateway_ip)
    routes = [part for each in subnet.options.static_routes for part in (str(each.destination), str(each.next_hop))]
    options = {
        "router": [gateway],
        "dns-server": _of_family(subnet.name_servers, 4),
        "domain-name": [DOMAIN] if subnet.is_resolved else [],
        "domain-search": subnet.search_domains if subnet.options.domain_search else [],
        "ntp-server": _of_family(subnet.options.ntp_servers, 4),
        "classless-static-route": ["0.0.0.0/0", gateway, *routes] if routes else [],
    }
    return [
        f"--dhcp-range=set:{tag},{subnet.cidr.network_address},static,{subnet.cidr.netmask},{LEASE}",
        *_options(f"tag:{tag},option", options, always=("dns-server",)),
    ]


def _ipv6_options(network: NetworkSpec) -> list[str]:
    """Return the options of DHCPv6 and router advertisements: addresses are managed, none is autonomous.

    A router advertises itself to all guests alike, so their options are those of all subnets: the first NTP servers and
    search domains, as many as one subnet may have.
    """
    subnets = network.of_family(6)
    if not subnets:
        return []
    ntp_servers = _of_family(_distinct(subnet.options.ntp_servers for subnet in subnets), 6)[:MAX_NTP_SERVERS]
    options = {
        "dns-server": _of_family(_distinct(subnet.name_servers for subnet in subnets), 6),
        "domain-search": _fitting(_distinct(subnet.search_domains for subnet in subnets)),
        "sntp-server": ntp_servers,
        "ntp-server": ntp_servers,
    }
    return [
        "--enable-ra",
        "--quiet-dhcp6",
        "--quiet-ra",
        f"--ra-param={LAN},mtu:{network.mtu},{ADVERTISED_EVERY_S},{ROUTER_LIFETIME_S}",
        *(f"--dhcp-range={subnet.cidr.network_address},static,{subnet.cidr.prefixlen},{LEASE}" for subnet in subnets),
        *_options("option6", options),
    ]


def _options(prefix: str, options: Mapping[str, Sequence[str]], *, always: Collection[str] = ()) -> list[str]:
    """Return the options that have values. `always`: those too that dnsmasq gives values of its own otherwise."""
    sent = {name: values for name, values in options.items() if values or name in always}
    return [f"--dhcp-option={','.join([f'{prefix}:{name}', *values])}" for name, values in sent.items()]


def _of_family(addresses: Iterable[Address], version: int) -> list[str]:
    """Return the addresses of IP version 4 or 6 as dnsmasq has them in options."""
    return [f"[{each}]" if version == 6 else str(each) for each in addresses if each.version == version]


def _distinct(parts: Iterable[Iterable[T]]) -> list[T]:
    return list(dict.fromkeys(chain.from_iterable(parts)))


def _fitting(domains: Sequence[str]) -> list[str]:
    """Return the first domains, as many as fit in an option of DHCPv4: the resolver's and those of one subnet do."""
    domains = sorted(domains, key=lambda domain: domain != DOMAIN)
    sizes = accumulate(search_bytes([domain]) for domain in domains)
    return [domain for domain, size in zip(domains, sizes, strict=True) if size <= MAX_OPTION_BYTES]


def _only_grows(present: str, new: str) -> bool:
    return set(present.splitlines()) <= set(new.splitlines())


def hosts(ports: Sequence[PortSpec]) -> str:
    """Return lines of dnsmasq's hosts file: names without their domain.

    DHCP can give a card one IPv4 address, and one IPv6 address of each subnet. The dot at the end prevents dnsmasq from
    reading a name such as "ignore" or "42" as an instruction.
    """
    ordered = sorted((port for port in ports if port.addresses), key=lambda port: (port.ip or NO_ADDRESS, port.mac))
    return "".join(f"{','.join([port.mac, *_given(port)])},{_first_label(port)}.\n" for port in ordered)


def _given(port: PortSpec) -> list[str]:
    return [*([str(port.ip)] if port.ip else []), *(f"[{address}]" for address in port.of_family(6))]


def check(ports: Iterable[PortSpec]) -> None:
    """Check a hostname; raises BadRequest if it would be more than a name in the hosts file."""
    for port in ports:
        if not _LABEL.fullmatch(_first_label(port)):
            raise BadRequest("hostname", "has a first label with other than letters, digits and hyphens")


def _first_label(port: PortSpec) -> str:
    return port.hostname.partition(".")[0]
