"""DHCP and router advertisements on a tenant network: one dnsmasq in the router's namespace, for the known cards only.

It stores no leases on disk: the hosts file has the address of each port for as long as the port exists, and a restarted
dnsmasq confirms the guests' renewals. It answers no DNS queries (see names).
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

from agents.node.adapters.network import dnsmasq
from agents.node.adapters.network.layout import Layout
from agents.node.adapters.network.router import LAN
from agents.node.adapters.network_specs import DOMAIN, NetworkSpec, PortSpec, SubnetSpec
from agents.node.errors import BadRequest

LEASE = "1h"
ADVERTISED_EVERY_S, ROUTER_LIFETIME_S = 60, 1800
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
        command = self._command(network)
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

    def _command(self, network: NetworkSpec) -> list[str]:
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
    """Return the options of one subnet; each has a tag, since the options are the subnet's own."""
    tag = f"subnet{number}"
    servers = "".join(f",{server}" for server in subnet.name_servers if server.version == 4)
    search = [f"--dhcp-option=tag:{tag},option:domain-name,{DOMAIN}"] if subnet.is_resolved else []
    return [
        f"--dhcp-range=set:{tag},{subnet.cidr.network_address},static,{subnet.cidr.netmask},{LEASE}",
        f"--dhcp-option=tag:{tag},option:router,{subnet.gateway_ip}",
        f"--dhcp-option=tag:{tag},option:dns-server{servers}",
        *search,
    ]


def _ipv6_options(network: NetworkSpec) -> list[str]:
    """Return the options of DHCPv6 and router advertisements: addresses are managed, none is autonomous."""
    subnets = network.of_family(6)
    if not subnets:
        return []
    servers = dict.fromkeys(f"[{server}]" for each in subnets for server in each.name_servers if server.version == 6)
    search = [f"--dhcp-option=option6:domain-search,{DOMAIN}"] if any(each.is_resolved for each in subnets) else []
    return [
        "--enable-ra",
        "--quiet-dhcp6",
        "--quiet-ra",
        f"--ra-param={LAN},mtu:{network.mtu},{ADVERTISED_EVERY_S},{ROUTER_LIFETIME_S}",
        *(f"--dhcp-range={subnet.cidr.network_address},static,{subnet.cidr.prefixlen},{LEASE}" for subnet in subnets),
        *([f"--dhcp-option=option6:dns-server,{','.join(servers)}"] if servers else []),
        *search,
    ]


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
