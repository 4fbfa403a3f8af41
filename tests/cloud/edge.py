"""The edge of a cloud: a router, two announcers with BIRD beside it, and a host outside, behind that router.

All are network namespaces on the switch of the cloud's lab. Of addresses behind the router the nodes know a default
route, and the router learns by BGP alone behind which node each public address is.
"""

import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from pyroute2 import netns

from agents.lab.shell import run
from agents.node import enrol, pki
from scripts.cloud import Cloud
from scripts.polling import wait_until
from tests import processes
from tests.agents.announcer.bgp_lab import BgpLab, entering_namespace
from tests.limits import PATIENCE_S

ANNOUNCERS = {"announcer-1": "10.0.7.11", "announcer-2": "10.0.7.12"}
ANNOUNCER_PORT = 7445
MACHINE = "10.0.7.254/24"  # from which the control plane calls the announcers
ROUTER_HOST = 2  # on the underlay
ROUTER_IPV6 = "fd77::1"
OUTSIDE, OUTSIDE_ROUTER = ("198.51.100.9/24", "2001:db8:9::9/64"), ("198.51.100.1/24", "2001:db8:9::1/64")


@dataclass
class Edge:
    """`outside`: a process in the network namespace of the host outside."""

    cloud: Cloud
    bgp: BgpLab
    outside: int

    @classmethod
    @contextmanager
    def running(cls, cloud: Cloud, zone: str) -> Iterator["Edge"]:
        """Run the edge of the zone, whose nodes are there."""
        folder = cloud.stack.var / "edge"
        folder.mkdir()
        with ExitStack() as stack:
            bgp = stack.enter_context(BgpLab.running(folder))
            edge = cls(cloud, bgp, bgp.namespace())
            for address in ANNOUNCERS.values():
                bgp.plug(address)
            stack.callback(run, ["ip", "address", "delete", MACHINE, "dev", cloud.lab.switch_netns])
            edge._join_underlay()
            edge._plug_outside()
            for name in (name for name, of in cloud.zones.items() if of == zone):
                edge._lead_out(name)
            for name, address in ANNOUNCERS.items():
                stack.enter_context(edge._announcer(name, address, zone))
            bgp.start_router()
            yield edge

    def run(self, *command: str | Path) -> str:
        """Run a command outside and return its output."""
        return self.bgp.run(self.outside, *map(str, command))

    def from_outside(self, *command: str | Path) -> list[str]:
        """Return the command line of a command outside."""
        return [*entering_namespace(self.outside), *map(str, command)]

    def ssh(self, address: str, key: Path, command: str) -> str:
        """Run a command in the guest at the address, by a session from outside."""
        return self.run(*ssh_to(address, key), command).strip()

    def connect(self, address: str, port: int, *, attempts: int = 6) -> socket.socket:
        """Return a TCP connection from outside; waits for a server that does not listen yet.

        `attempts`: to connect; raises TimeoutError after them.
        """

        def act() -> socket.socket:
            with Path(f"/proc/{self.outside}/ns/net").open() as file:
                netns.setns(file.fileno())
            connection = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
            connection.settimeout(PATIENCE_S)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_SYNCNT, attempts - 1)
            try:
                connection.connect((address, port))
            except OSError:
                connection.close()
                raise
            return connection

        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                return _in_own_thread(act)
            except ConnectionRefusedError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.1)

    @contextmanager
    def telling_sources(self, port: int) -> Iterator[None]:
        """Answer each connection to this port of the host outside with the address that it comes from."""
        families = (f"TCP4-LISTEN:{port}", f"TCP6-LISTEN:{port},ipv6only")
        with ExitStack() as stack:
            for listen in families:
                command = ["socat", "-U", f"{listen},fork,reuseaddr", "SYSTEM:echo $SOCAT_PEERADDR"]
                stack.enter_context(processes.running(self.from_outside(*command)))
            listening = ("ss", "-Hltn", f"sport = :{port}")
            wait_until(lambda: len(self.run(*listening).splitlines()) == len(families), limit_s=PATIENCE_S)
            yield

    def next_hop(self, address: str) -> str:
        """Return the next hop of the address in the router's kernel; empty: none."""
        return self.bgp.forwards(address)

    def _join_underlay(self) -> None:
        """Connect the router's link with the switch, and the machine with the announcers."""
        router, switch = self.bgp.router, self.cloud.lab.switch_netns
        ends = ["ip", "link", "add", "underlay", "type", "veth", "peer", "name", "edge", "netns", switch]
        self.bgp.run(router, *ends)
        self.bgp.run(router, "ip", "link", "set", "underlay", "master", "cable", "up")
        run(["ip", "-n", switch, "link", "set", "edge", "master", "br0", "up"])
        run(["ip", "address", "replace", MACHINE, "dev", switch])
        self.bgp.run(router, "ip", "address", "add", f"{self._underlay_address()}/24", "dev", "cable")

    def _plug_outside(self) -> None:
        router = self.bgp.router
        ends = ["ip", "link", "add", "outside", "type", "veth", "peer", "name", "eth0", "netns", str(self.outside)]
        self.bgp.run(router, *ends)
        for process, device, addresses in ((router, "outside", OUTSIDE_ROUTER), (self.outside, "eth0", OUTSIDE)):
            for address in addresses:
                self.bgp.run(process, "ip", "address", "add", address, "dev", device, *_without_detection(address))
            self.bgp.run(process, "ip", "link", "set", device, "up")
        for address in OUTSIDE_ROUTER:
            self.run("ip", "route", "add", "default", "via", address.partition("/")[0])
        for switch in ("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"):
            self.bgp.run(router, "sysctl", "-q", "-w", switch)

    def _lead_out(self, name: str) -> None:
        """Give the node an IPv6 address on the underlay, and default routes to the router."""
        node = self.cloud.node(name)
        own = f"fd77::{node.address.rpartition('.')[2]}"
        node.exec(["ip", "address", "replace", f"{own}/64", "dev", "underlay0", "nodad"])
        for gateway in (self._underlay_address(), ROUTER_IPV6):
            node.exec(["ip", "route", "replace", "default", "via", gateway])
        self.cloud.stack.manage("set_underlay", name, node.address, "--ipv6", own)

    def _underlay_address(self) -> str:
        return f"{self.cloud.lab.machine_address.rpartition('.')[0]}.{ROUTER_HOST}"

    @contextmanager
    def _announcer(self, name: str, address: str, zone: str) -> Iterator[None]:
        """Run an announcer and its BIRD, and enrol it as its guide says."""
        folder, stack = self.bgp.folder / name, self.cloud.stack
        folder.mkdir()
        (request := folder / "node.csr").write_text(enrol.request(folder, name))
        listen = f"{address}:{ANNOUNCER_PORT}"
        options = ["--zone", zone, "--address", listen, "--csr", str(request)]
        certificate = stack.manage("certify_announcer", name, *options).encode()
        ca, root = ((stack.var / "pki" / file).read_bytes() for file in ("ca.crt", "root.pub"))
        enrol.install(folder, certificate=certificate, ca=ca, root=root, kind=pki.ANNOUNCER)
        (routes := folder / "routes.conf").touch()
        command = [*entering_namespace(self.bgp.announcers[address]), sys.executable, "-m", "agents.announcer"]
        command += ["--state-dir", str(folder), "--listen", listen, "--routes", str(routes)]
        command += ["--bird-control", str(folder / "bird.ctl")]
        with (
            (folder / "log").open("w") as log,
            self.bgp.bird(address, folder),
            processes.running(command, stderr=log),
        ):
            yield


def ssh_to(address: str, key: Path) -> Sequence[str]:
    """Return the command line of ssh, to which the command in the guest is added."""
    options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR", "BatchMode=yes"]
    options += [f"ConnectTimeout={PATIENCE_S}"]
    return ["ssh", "-i", str(key), *(word for option in options for word in ("-o", option)), f"root@{address}"]


def _in_own_thread(act: Callable[[], socket.socket]) -> socket.socket:
    """Run it in a thread that ends then, since it changes the thread's namespace."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(act).result()


def _without_detection(address: str) -> list[str]:
    return ["nodad"] if ":" in address else []
