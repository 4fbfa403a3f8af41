"""The resolver of a tenant network: one more dnsmasq in the router's namespace, at the gateways' addresses.

It answers for the names of the network's instances, on this node and on others, and for their addresses (A, AAAA and
PTR), from a file that the agent writes. Other questions go to the operator's resolvers, where there are any; without
them they are refused, so that a guest asks its next name server.

The process is not that of DHCP: a guest that keeps it busy delays no lease, and the names in requests for leases are
not answered.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

from agents.node.adapters.network import dnsmasq
from agents.node.adapters.network.layout import Layout
from agents.node.adapters.network_specs import DOMAIN, HostName, NetworkSpec

DNS_PORT = 53
CACHED_ANSWERS = 1000
FORWARDED_AT_ONCE = 150
UDP_BYTES = 1232  # answers that no path has to fragment (DNS flag day 2020)


@dataclass(frozen=True, slots=True)
class Names:
    """Runs the resolver. `resolvers`: of the operator, for names of others."""

    layout: Layout
    folder: Path
    resolvers: tuple[IPv4Address, ...] = ()

    @property
    def hosts_file(self) -> Path:
        return self.folder / f"{self.layout.tail}.names"

    @property
    def pid_file(self) -> Path:
        return self.folder / f"{self.layout.tail}.names-pid"

    def ensure(self, network: NetworkSpec, names: Sequence[HostName] | None = None) -> None:
        """Answer for exactly these names; None: for those that it has. The router has its addresses by now."""
        is_changed = self._write(names)
        command = self._command(network)
        with dnsmasq.running(self.pid_file) as process:
            if process is not None and process.command == command:
                if is_changed:
                    process.reread()
                return
            if process is not None:
                process.stop()
        dnsmasq.start(self.layout.namespace, command)

    def stop(self) -> None:
        dnsmasq.stop(self.pid_file)

    def remove(self) -> None:
        self.stop()
        self.hosts_file.unlink(missing_ok=True)
        self.pid_file.unlink(missing_ok=True)

    def _write(self, names: Sequence[HostName] | None) -> bool:
        """Write the file if it differs; returns whether it did."""
        present = self.hosts_file.read_text() if self.hosts_file.exists() else None
        content = (present or "") if names is None else hosts(names)
        if present == content:
            return False
        dnsmasq.write(self.hosts_file, content)
        return True

    def _command(self, network: NetworkSpec) -> list[str]:
        return [
            *dnsmasq.BASICS,
            f"--pid-file={self.pid_file}",
            f"--port={DNS_PORT}",
            "--bind-interfaces",
            *(f"--listen-address={subnet.gateway_ip}" for subnet in network.subnets),
            "--no-resolv",
            "--no-hosts",
            f"--addn-hosts={self.hosts_file}",
            "--expand-hosts",
            f"--domain={DOMAIN}",
            f"--local=/{DOMAIN}/",
            "--domain-needed",
            "--bogus-priv",
            f"--cache-size={CACHED_ANSWERS}",
            f"--dns-forward-max={FORWARDED_AT_ONCE}",
            f"--edns-packet-max={UDP_BYTES}",
            *(f"--server={resolver}" for resolver in self.resolvers),
        ]


def hosts(names: Iterable[HostName]) -> str:
    """Return lines of dnsmasq's file of hosts; it adds the domain."""
    ordered = sorted(names, key=lambda each: each.name)
    return "".join(f"{address} {each.name}\n" for each in ordered for address in each.addresses)
