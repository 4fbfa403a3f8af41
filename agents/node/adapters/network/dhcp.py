"""DHCP and router advertisements on a tenant network: one dnsmasq in the router's namespace, for the known cards only.

dnsmasq outlives the agent and is found again by its pid file and its command line, which states its whole configuration
but the hosts. It stores no leases on disk: the hosts file has the address of each port for as long as the port exists,
and a restarted dnsmasq confirms the guests' renewals. It answers no DNS queries; guests are given the network's own DNS
servers.
"""

import os
import re
import select
import signal
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

from agents.node.adapters.network import namespaces
from agents.node.adapters.network.layout import Layout
from agents.node.adapters.network.router import LAN
from agents.node.adapters.network_specs import NetworkSpec, PortSpec, SubnetSpec
from agents.node.errors import AdapterError, BadRequest
from agents.node.process import run

LEASE = "1h"
ADVERTISED_EVERY_S, ROUTER_LIFETIME_S = 60, 1800
NO_ADDRESS = IPv4Address(0)
STOP_TIMEOUT_S = 5
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
        with self._process() as process:
            if process is not None:
                if process.command == command and _only_grows(present, desired):
                    self._write(desired)
                    signal.pidfd_send_signal(process.descriptor, signal.SIGHUP)
                    return
                process.stop()
        self._write(desired)
        namespaces.inside(self.layout.namespace, lambda: run(command))

    def stop(self) -> None:
        with self._process() as process:
            if process is not None:
                process.stop()

    def remove(self) -> None:
        self.stop()
        self.hosts_file.unlink(missing_ok=True)
        self.pid_file.unlink(missing_ok=True)

    def _command(self, network: NetworkSpec) -> list[str]:
        return [
            "dnsmasq",
            "--conf-file=/dev/null",
            "--user=dnsmasq",
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

    def _write(self, text: str) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o755)  # whatever the agent's umask is
        draft = self.hosts_file.with_suffix(".new")
        draft.write_text(text)
        draft.chmod(0o644)
        draft.replace(self.hosts_file)

    @contextmanager
    def _process(self) -> Iterator["_Process | None"]:
        """Return this network's dnsmasq.

        Its pid may be another program's by now: so the command line is checked after opening the descriptor, which from
        then on stands for this process and no other.
        """
        try:
            pid = int(self.pid_file.read_text())
            descriptor = os.pidfd_open(pid)
        except (OSError, ValueError, OverflowError):
            yield None
            return
        try:
            process = _Process(descriptor, _command_line(pid))
            yield process if f"--pid-file={self.pid_file}" in process.command else None
        finally:
            os.close(descriptor)


@dataclass(frozen=True, slots=True)
class _Process:
    descriptor: int
    command: list[str]

    def stop(self) -> None:
        """Stop dnsmasq at once: it has no data that could be damaged."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.descriptor, signal.SIGKILL)
        if not select.select([self.descriptor], [], [], STOP_TIMEOUT_S)[0]:
            raise AdapterError(f"dnsmasq did not stop: {self.command}", retryable=True)


def _ipv4_options(number: int, subnet: SubnetSpec) -> list[str]:
    """Return the options of one subnet; each has a tag, since the options are the subnet's own."""
    tag = f"subnet{number}"
    servers = "".join(f",{server}" for server in subnet.dns_servers if server.version == 4)
    return [
        f"--dhcp-range=set:{tag},{subnet.cidr.network_address},static,{subnet.cidr.netmask},{LEASE}",
        f"--dhcp-option=tag:{tag},option:router,{subnet.gateway_ip}",
        f"--dhcp-option=tag:{tag},option:dns-server{servers}",
    ]


def _ipv6_options(network: NetworkSpec) -> list[str]:
    """Return the options of DHCPv6 and router advertisements: addresses are managed, none is autonomous."""
    subnets = network.of_family(6)
    if not subnets:
        return []
    servers = dict.fromkeys(f"[{server}]" for each in subnets for server in each.dns_servers if server.version == 6)
    return [
        "--enable-ra",
        "--quiet-dhcp6",
        "--quiet-ra",
        f"--ra-param={LAN},mtu:{network.mtu},{ADVERTISED_EVERY_S},{ROUTER_LIFETIME_S}",
        *(f"--dhcp-range={subnet.cidr.network_address},static,{subnet.cidr.prefixlen},{LEASE}" for subnet in subnets),
        *([f"--dhcp-option=option6:dns-server,{','.join(servers)}"] if servers else []),
    ]


def _command_line(pid: int) -> list[str]:
    """Return the command line; empty when the process has ended."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")[:-1]
    return []


def _only_grows(present: str, wanted: str) -> bool:
    return set(present.splitlines()) <= set(wanted.splitlines())


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
