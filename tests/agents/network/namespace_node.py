"""A node made of namespaces only: when its first process ends, the kernel takes everything in it away."""

import json
import multiprocessing
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from agents.node.adapters.interfaces import NetworkProblems
from agents.node.adapters.network_specs import (
    HostName,
    NetworkSpec,
    PortSpec,
    SegmentSpec,
    SubnetSpec,
    bridge_name,
    tap_name,
)
from agents.node.adapters.port_filters import NOTHING_FILTERED, PortCounters, PortFilters
from agents.node.adapters.public_addresses import NOTHING_PUBLIC, PublicAddresses
from agents.node.metadata.channel import Guest as GuestMetadata
from tests import processes
from tests.agents.network import inner
from tests.limits import PATIENCE_S

FORKED = multiprocessing.get_context("forkserver")
FORKED.set_forkserver_preload([inner.__name__])
HERE = Path(__file__).parent
ROOT = HERE.parents[2]
NODE_IP, NEIGHBOUR_IP, BEYOND_IP = "198.51.100.1", "198.51.100.2", "203.0.113.9"
DHCP_SCRIPT = """#!/bin/sh
[ "$1" = bound ] || exit 0
[ -z "$ipv6" ] || { echo "ipv6=$ipv6"; exit 0; }
ip addr add "$ip/$mask" dev "$interface"
ip link set "$interface" mtu "$mtu"
ip route add default via "$router"
for name in ip mask router dns domain mtu hostname; do eval "echo $name=\\$$name"; done
for name in ntpsrv search staticroutes; do eval "value=\\$$name"; [ -z "$value" ] || echo "$name=$value"; done
"""


IPV4 = SubnetSpec(
    IPv4Network("10.0.0.0/24"),
    IPv4Address("10.0.0.1"),
    (IPv4Address("9.9.9.9"), IPv4Address("149.112.112.112")),
)
IPV6 = SubnetSpec(IPv6Network("fd00:1::/64"), IPv6Address("fd00:1::1"), (IPv6Address("2620:fe::9"),))
SECOND_IPV4 = SubnetSpec(IPv4Network("10.0.1.0/24"), IPv4Address("10.0.1.1"))
SECOND_IPV6 = SubnetSpec(IPv6Network("fd00:2::/64"), IPv6Address("fd00:2::1"))


def a_network(number: int, *subnets: SubnetSpec) -> NetworkSpec:
    """Return a network. Networks with different numbers have the same addresses by default."""
    return NetworkSpec(UUID(int=(0x0198 << 112) + (7 << 76) + (2 << 62) + number), subnets or (IPV4,), mtu=1450)


def a_port(network: NetworkSpec, number: int, **fields: Any) -> PortSpec:
    """Return the port with the address (10 + number) of each subnet, whose MAC differs from that of other networks."""
    values: dict[str, Any] = {
        "id": UUID(int=network.id.int + (number + 1) * 0x10000),
        "network": network,
        "mac": f"52:54:00:00:{network.id.int & 0xFF:02x}:{number:02x}",
        "addresses": tuple(subnet.cidr[10 + number] for subnet in network.subnets),
        "hostname": f"guest-{number}",
    }
    return PortSpec(**(values | fields))


def ipv4(port: PortSpec) -> IPv4Address:
    """Return the first IPv4 address."""
    assert port.ip is not None
    return port.ip


def gateway(network: NetworkSpec) -> IPv4Address:
    """Return the gateway of the first IPv4 subnet."""
    result = network.of_family(4)[0].gateway_ip
    assert isinstance(result, IPv4Address)
    return result


class Node:
    """The namespaces of one node and a process in them that holds a LinuxSwitch."""

    def __init__(self, folder: Path) -> None:
        self._script = folder / "udhcpc.sh"
        self._script.write_text(DHCP_SCRIPT)
        self._script.chmod(0o755)
        self._channel, theirs = FORKED.Pipe()
        self._holder = FORKED.Process(target=inner.hold, args=(theirs,))
        self._holder.start()
        theirs.close()
        self._channel.recv()
        children = Path(f"/proc/{self._holder.pid}/task/{self._holder.pid}/children").read_text()
        self._first_pid = children.split()[0]

    def close(self) -> None:
        """Kill all of the node's processes, and wait for their end."""
        os.kill(int(self._first_pid), signal.SIGKILL)
        self._holder.join()
        self._channel.close()

    # ---- the switch

    def start_agent(self, **options: Any) -> None:
        """Replace the switch, as a start of the agent does."""
        self._call("restore", [], {}, NOTHING_FILTERED, options=options)

    def restart_agent(
        self,
        ports: Sequence[PortSpec],
        segments: Mapping[UUID, SegmentSpec] | None = None,
        filters: PortFilters = NOTHING_FILTERED,
        public: PublicAddresses = NOTHING_PUBLIC,
        **options: Any,
    ) -> None:
        self._call("restore", ports, segments or {}, filters, public, options=options)

    def ensure(self, port: PortSpec, *others: PortSpec) -> None:
        self._call("ensure_port", port, others)

    def remove(self, port: PortSpec, *others: PortSpec) -> None:
        self._call("remove_port", port, others)

    def filter(self, filters: PortFilters) -> str:
        """Filter ports by security groups; returns the problem."""
        problem: str = self._call("ensure_filters", filters)
        return problem

    def counters(self, port: PortSpec) -> PortCounters:
        """Return what rules have counted of the port."""
        by_device: Mapping[str, PortCounters] = self._call("counters")
        return by_device.get(tap_name(port.id), PortCounters())

    def publish_addresses(self, public: PublicAddresses) -> str:
        """Give ports public addresses; returns the problem."""
        problem: str = self._call("ensure_public", public)
        return problem

    def names(self, network: NetworkSpec, names: Sequence[HostName]) -> None:
        """Have the network's resolver answer for these names."""
        self._call("ensure_names", network, names)

    def serve_metadata(self) -> None:
        """Replace the switch by one with a metadata service."""
        self._call("serve_metadata")

    def publish_metadata(self, guest: GuestMetadata) -> None:
        self._call("publish", guest)

    def guard(self) -> None:
        """Start the switch's guard, until the next start of the agent."""
        self._call("guard")

    def keep_rules(self) -> None:
        """Repair the rules, as the guard does after each change."""
        self._call("keep_rules")

    def keep_routes(self) -> None:
        """Repair the routes of public addresses, as the guard does after a loss and at intervals."""
        self._call("keep_routes")

    def problems(self) -> NetworkProblems:
        result: NetworkProblems = self._call("problems")
        return result

    def connect(self, network: NetworkSpec, segment: SegmentSpec | None) -> str:
        """Connect a segment; returns the problem of the underlay."""
        problem: str = self._call("ensure_segment", network, segment)
        return problem

    def connections(self, *ports: PortSpec) -> bytes:
        """Return the entries of the ports' connections, as they travel."""
        block: bytes = self._call("guest_connections.read", [tap_name(port.id) for port in ports])
        return block

    def add_connections(self, block: bytes, *ports: PortSpec) -> None:
        self._call("guest_connections.add", [tap_name(port.id) for port in ports], block)

    def forget_connections(self, *ports: PortSpec) -> None:
        self._call("guest_connections.forget", [tap_name(port.id) for port in ports])

    def exchange(self, port: PortSpec, tcp_port: int, line: bytes, *, address: str = "") -> bytes | str:
        """Send a line to a guest from the router; returns its answer, or the name or text of the error."""
        answer: bytes | str = self._call("exchange", port, IPv4Address(address or port.ip), tcp_port, line)
        return answer

    def _call(self, method: str, *arguments: Any, options: dict[str, Any] | None = None) -> Any:
        self._channel.send((options, method, arguments))
        failure, answer = self._channel.recv()
        assert failure is None, failure
        return answer

    # ---- programs

    def argv(self, command: Sequence[str], namespace: str = "", *, spaces: Sequence[str] = ()) -> list[str]:
        where = ["ip", "netns", "exec", namespace] if namespace else []
        return ["nsenter", "-t", self._first_pid, "--net", "--mount", *spaces, *where, *command]

    def run(self, command: str, *, namespace: str = "", check: bool = True) -> str:
        done = subprocess.run(
            self.argv(command.split(), namespace, spaces=["--pid"]),
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )
        assert done.returncode == 0 or not check, f"{command}: {done.stderr}"
        return done.stdout

    @contextmanager
    def running(self, *command: str, namespace: str = "") -> Iterator["subprocess.Popen[str]"]:
        """Run a Python program of this folder.

        It stays outside the node's pid namespace, since only so does nsenter become the program, which can then be
        killed.
        """
        argv = self.argv([sys.executable, str(HERE / command[0]), *command[1:]], namespace)
        with processes.running(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            yield process

    @contextmanager
    def server(self, port: int, *, namespace: str = "", host: str = "0.0.0.0") -> Iterator[None]:
        with self.running("peers.py", "serve", str(port), host, namespace=namespace) as process:
            assert _line(process) == "ready"
            yield

    def lend(self, device: str, to: "Node") -> None:
        """Move a network device into another node's namespace."""
        _ip(self._first_pid, f"link set {device} netns {to._first_pid}")

    def links(self, *, namespace: str = "") -> set[str]:
        where = f"-n {namespace} " if namespace else ""
        return {link["ifname"] for link in json.loads(self.run(f"ip -j {where}link show"))}

    def dnsmasq_pids(self) -> set[str]:
        return set(self.run("pgrep -x dnsmasq", check=False).split())

    def traces(self) -> dict[str, Any]:
        """List the remains of a switch."""
        return {
            "links": self.links() - {"lo", "u0", "under"},
            "namespaces": set(self.run("ip netns list").split("\n")) - {""},
            "dnsmasq": self.dnsmasq_pids(),
            "rules": self.run("nft --stateless list ruleset"),
            "files": self.run("find /run/andromede -type f", check=False),
        }


def underlay_address(number: int) -> IPv4Address:
    return IPv4Address("192.0.2.0") + number


@contextmanager
def joined(nodes: Sequence[Node]) -> Iterator[None]:
    """Join nodes by one more cable each, to a switch between them.

    The nth gets underlay_address(n) on its device `under`, from 1 on.
    """
    with processes.running(["unshare", "--net", "sleep", "infinity"]) as switch:
        _wait_for_another_netns(switch.pid)
        _ip(switch.pid, "link add br0 up type bridge forward_delay 0 mcast_snooping 0")
        for number, node in enumerate(nodes, start=1):
            peer = f"type veth peer name under netns {node._first_pid}"
            _ip(switch.pid, f"link add port{number} mtu 9000 master br0 up {peer}")
            node.run(f"ip addr add {underlay_address(number)}/24 dev under")
            node.run("ip link set under mtu 9000 up")
        yield


@contextmanager
def joined_nodes(folder: Path, count: int) -> Iterator[list[Node]]:
    """Make joined nodes with their files in the folder, and close them afterwards. Skips the test without root."""
    if os.geteuid() != 0:
        pytest.skip("namespaces need root")
    with ExitStack() as stack:
        nodes: list[Node] = []
        for number in range(count):
            (folder / str(number)).mkdir()
            nodes.append(Node(folder / str(number)))
            stack.callback(nodes[-1].close)
        stack.enter_context(joined(nodes))
        yield nodes


def _wait_for_another_netns(pid: int) -> None:
    mine = os.readlink("/proc/self/ns/net")
    while os.readlink(f"/proc/{pid}/ns/net") == mine:
        time.sleep(0.01)


def _ip(pid: int | str, command: str) -> None:
    """Run ip in the network namespace of a process; it stays in our mount namespace, so it sees all processes."""
    done = subprocess.run(
        ["nsenter", "-t", str(pid), "--net", "ip", *command.split()],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, f"{command}: {done.stderr}"


@dataclass(frozen=True)
class Guest:
    """A namespace with one network card `eth0`, whose other end is at the place of the hypervisor's tap."""

    node: Node
    name: str
    port: PortSpec

    def start(self) -> "Guest":
        tap, node = tap_name(self.port.id), self.node
        node.run(f"ip netns add {self.name}")
        node.run(f"ip link add {tap} type veth peer name eth0 address {self.port.mac} netns {self.name}")
        node.run(f"ip link set {tap} mtu {self.port.network.mtu} master {bridge_name(self.port.network.id)} up")
        node.run(f"ip -n {self.name} link set lo up")
        node.run(f"ip -n {self.name} link set eth0 up")
        return self

    def stop(self) -> None:
        self.node.run(f"ip link del {tap_name(self.port.id)}")
        self.node.run(f"ip netns del {self.name}")

    def dhcp(self) -> dict[str, str]:
        """Request an address by DHCP and use it. Fails the test without an answer."""
        self.run("ip addr flush dev eth0")
        busybox = shutil.which("busybox") or "busybox"
        asked = " ".join(f"-O {option}" for option in ("mtu", "hostname", "ntpsrv", "search", "staticroutes"))
        answer = self.run(f"{busybox} udhcpc -i eth0 -n -q -f -t 5 -T 1 {asked} -s {self.node._script}")
        return dict(line.split("=", 1) for line in answer.splitlines() if "=" in line)

    def dhcp6(self) -> IPv6Address:
        """Request an address by DHCPv6 and return it. Fails the test without an answer."""
        busybox = shutil.which("busybox") or "busybox"
        answer = self.run(f"{busybox} udhcpc6 -i eth0 -n -q -f -t 5 -T 1 -s {self.node._script}")
        return IPv6Address(answer.split("ipv6=")[1].strip())

    def configured(self) -> "Guest":
        self.configure()
        return self

    def configure(self) -> None:
        """Give the guest its addresses and a default route of each family, as its seed does."""
        routes: dict[int, str] = {}
        for address in self.port.addresses:
            subnet = self.port.network.subnet_of(address)
            assert subnet is not None
            nodad = " nodad" if address.version == 6 else ""
            self.run(f"ip addr replace {address}/{subnet.cidr.prefixlen} dev eth0{nodad}")
            routes.setdefault(address.version, f"ip -{address.version} route replace default via {subnet.gateway_ip}")
        for route in routes.values():
            self.run(route)

    def run(self, command: str, *, check: bool = True) -> str:
        return self.node.run(command, namespace=self.name, check=check)

    def pings(self, address: object) -> bool:
        return "1 received" in self.run(f"ping -c 1 -W 1 {address}", check=False)

    def call(self, host: object, port: int) -> str:
        """Return the outcome of a TCP connection attempt: open, refused, unreachable or silent."""
        return self.run(f"{sys.executable} {HERE / 'peers.py'} ask {host} {port}").strip()

    @contextmanager
    def conversation(self, host: object, port: int) -> Iterator["Conversation"]:
        with self.node.running("peers.py", "ask", str(host), str(port), namespace=self.name) as process:
            assert _line(process) == "open"
            yield Conversation(process)

    @contextmanager
    def pushing(self, port: int) -> Iterator["Push"]:
        """Listen for one connection, over which `Push.push` sends."""
        host = str(self.port.ip)
        with self.node.running("peers.py", "push", str(port), host, namespace=self.name) as process:
            assert _line(process) == "ready"
            yield Push(process)

    @contextmanager
    def receiving(self, host: object, port: int) -> Iterator["Conversation"]:
        """Open a connection on which this guest only receives: `answer` returns the next line."""
        with self.node.running("peers.py", "receive", str(host), str(port), namespace=self.name) as process:
            assert _line(process) == "open"
            yield Conversation(process)

    @contextmanager
    def holding(self, host: object, port: int, *, at_most: int) -> Iterator[int]:
        """Open connections until one is not answered, and keep them. Yields the number of open ones."""
        command = ("peers.py", "hold", str(host), str(port), str(at_most))
        with self.node.running(*command, namespace=self.name) as process:
            yield int(_line(process))

    def reopen(self, host: object, port: int, *, at_most: int) -> int:
        """Open connections and close them, until one is not answered. Return the number of answered ones."""
        return int(self.run(f"{sys.executable} {HERE / 'peers.py'} reopen {host} {port} {at_most}"))

    def send(self, *frames: bytes, device: str = "eth0") -> None:
        self.run(f"{sys.executable} {HERE / 'frames.py'} send {device} {' '.join(frame.hex() for frame in frames)}")

    def flood(self, count: int, *frames: bytes) -> None:
        """Send the frames in turn, `count` in all."""
        texts = " ".join(frame.hex() for frame in frames)
        self.run(f"{sys.executable} {HERE / 'frames.py'} flood eth0 {count} {texts}")

    def connect_many(self, count: int, frame: bytes) -> None:
        """Send the first segment of a TCP connection from `count` source ports."""
        self.run(f"{sys.executable} {HERE / 'frames.py'} connect eth0 {count} {frame.hex()}")

    @contextmanager
    def capturing(self, *, until: bytes, device: str = "eth0") -> Iterator[list[str]]:
        """Fill the list with the frames that arrive, as hex, once the block has caused the last one."""
        captured: list[str] = []
        with self.node.running("frames.py", "capture", device, until.hex(), namespace=self.name) as process:
            assert _line(process) == "ready"
            yield captured
            captured += process.stdout.read().split()  # type: ignore[union-attr]

    @contextmanager
    def receiving_packets(self, *, until: bytes) -> Iterator[list[str]]:
        """Fill the list with the packets, as hex, that this host accepts, once the block has caused the last one."""
        received: list[str] = []
        with self.node.running("frames.py", "deliveries", "-", until.hex(), namespace=self.name) as process:
            assert _line(process) == "ready"
            yield received
            received += process.stdout.read().split()  # type: ignore[union-attr]


@dataclass(frozen=True)
class Push:
    """A server that sends its only client each line."""

    process: "subprocess.Popen[str]"

    def push(self, line: str) -> None:
        print(line, file=self.process.stdin, flush=True)


@dataclass(frozen=True)
class Conversation:
    """An open TCP connection to a server that answers with the address of its client."""

    process: "subprocess.Popen[str]"

    def seen_as(self) -> str:
        self.ask()
        return self.answer()

    def ask(self) -> None:
        print("who am I?", file=self.process.stdin, flush=True)

    def answer(self) -> str:
        return _line(self.process)

    def has_answer(self) -> bool:
        """Return whether an answer to `ask` has arrived."""
        answers: Any = self.process.stdout
        return bool(select.select([answers], [], [], 0)[0])


def _line(process: "subprocess.Popen[str]") -> str:
    return process.stdout.readline().strip()  # type: ignore[union-attr]
