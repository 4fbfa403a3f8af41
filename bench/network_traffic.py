"""Packets between two guests: a bare bridge and a bare VXLAN as floors, and a tenant network with security groups.

Guests are network namespaces. Throughput is that of one TCP connection (iperf3), latency the mean of a flood of pings.
"""

import json
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any
from uuid import UUID

from agents.node.adapters.network_specs import NetworkSpec, PortSpec, SegmentSpec
from agents.node.adapters.port_filters import FilteredPort, PortFilters
from andromede_core.permits.security_group import Rule, SecurityGroup
from tests.agents.network.namespace_node import IPV4, Guest, Node, a_network, a_port, joined, underlay_address

NETWORK = a_network(1, IPV4)
VNI = 101
SERVER, NEAR, FAR = (a_port(NETWORK, number) for number in range(3))
GROUP = str(UUID(int=1))
PINGS = 2000
SWITCH_PID = "2"  # in the namespace of the node, whose first process only reaps
IPERF_PORT = 5201


@dataclass(frozen=True)
class Way:
    """A way between two ends: the first one sends, the second one has the address and answers."""

    node: Node
    namespace: str
    server_node: Node
    server_namespace: str
    address: str

    def measure(self, seconds: float) -> dict[str, float]:
        sent = self._run(f"iperf3 -J -c {self.address} -p {IPERF_PORT} -t {seconds:g}")
        pings = self._run(f"ping -q -f -c {PINGS} {self.address}")
        return {
            "gbit_per_s": json.loads(sent)["end"]["sum_received"]["bits_per_second"] / 1e9,
            "round_trip_us": float(pings.rsplit("=", 1)[1].split("/")[1]) * 1000,
        }

    @contextmanager
    def served(self) -> Iterator[None]:
        argv = self.server_node.argv(["iperf3", "-s", "--forceflush", "-p", str(IPERF_PORT)], self.server_namespace)
        with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            server.stdout.readline()
            server.stdout.readline()  # it listens
            try:
                yield
            finally:
                server.kill()

    def _run(self, command: str) -> str:
        argv = self.node.argv(command.split(), self.namespace)
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def measure(rounds: int, seconds: float) -> dict[str, Any]:
    """Measure all ways in turns. The ratios are to the floor of the same round: same node, or across."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        nodes = [_node(stack, folder / f"node{number}") for number in range(2)]
        stack.enter_context(joined(nodes))
        guests = _tenant_network(nodes)
        ways = _ways(nodes, guests)
        for way in {(way.server_node, way.server_namespace): way for way in ways.values()}.values():
            stack.enter_context(way.served())
        measured: dict[str, list[dict[str, float]]] = {
            name: [] for name in (*ways, "same_node_groups", "across_groups")
        }
        for _ in range(rounds):
            for name, way in ways.items():
                measured[name].append(way.measure(seconds))
            for node in nodes:
                assert node.filter(_filters()) == ""
            for name in ("same_node", "across"):
                measured[f"{name}_groups"].append(ways[name].measure(seconds))
            for node in nodes:
                assert node.filter(PortFilters((), {})) == ""
    return _summary(measured)


def _summary(measured: Mapping[str, list[dict[str, float]]]) -> dict[str, Any]:
    floors = {"same_node": "bare_bridge", "across": "bare_vxlan"}
    summary: dict[str, Any] = {}
    for name, samples in measured.items():
        values = {key: round(median(sample[key] for sample in samples), 2) for key in samples[0]}
        floor = floors.get(name.removesuffix("_groups"))
        if floor is not None:
            for key in samples[0]:
                ratios = [sample[key] / other[key] for sample, other in zip(samples, measured[floor], strict=True)]
                values[f"{key}_to_floor"] = round(median(ratios), 2)
        summary[name] = values
    return summary


def _node(stack: ExitStack, folder: Path) -> Node:
    folder.mkdir()
    node = Node(folder)
    stack.callback(node.close)
    return node


def _tenant_network(nodes: list[Node]) -> dict[str, Guest]:
    """Make guests `server` and `near` on the first node, `far` on the second."""
    places = {"server": (0, SERVER, ()), "near": (0, NEAR, (SERVER,)), "far": (1, FAR, ())}
    guests = {}
    for name, (number, port, others) in places.items():
        nodes[number].ensure(port, *others)
        segment = SegmentSpec(VNI, underlay_address(number + 1), (underlay_address(2 - number),))
        assert nodes[number].connect(NETWORK, segment) == ""
        guests[name] = Guest(nodes[number], name, port).start().configured()
        guests[name].run(f"ip link set eth0 mtu {NETWORK.mtu}")
    return guests


def _ways(nodes: list[Node], guests: Mapping[str, Guest]) -> dict[str, Way]:
    """Return the ways without security groups, the floors first."""
    bare_bridge(nodes[0])
    bare_vxlan(nodes)
    server = (nodes[0], "server", str(SERVER.ip))
    return {
        "bare_bridge": Way(nodes[0], "bare-b", nodes[0], "bare-a", "10.9.0.1"),
        "bare_vxlan": Way(nodes[1], "bare-v", nodes[0], "bare-w", "10.8.0.1"),
        "same_node": Way(nodes[0], guests["near"].name, *server),
        "across": Way(nodes[1], guests["far"].name, *server),
    }


def bare_bridge(node: Node) -> None:
    """Make two namespaces on a bridge without any rule."""
    node.run(f"ip link add bare0 mtu {NETWORK.mtu} up type bridge")
    for number, name in enumerate(("bare-a", "bare-b"), start=1):
        _bare_guest(node, name, "bare0", f"10.9.0.{number}")


def bare_vxlan(nodes: list[Node]) -> None:
    """Make a namespace on each node, joined by a VXLAN device without any rule; port 4790, which no rule concerns."""
    for number, node in enumerate(nodes, start=1):
        here, there = underlay_address(number), underlay_address(3 - number)
        node.run(f"ip link add bare1 mtu {NETWORK.mtu} up type bridge")
        vxlan = f"type vxlan id 9 local {here} remote {there} dstport 4790"
        node.run(f"ip link add barev mtu {NETWORK.mtu} master bare1 up {vxlan}")
        _bare_guest(node, "bare-w" if number == 1 else "bare-v", "bare1", f"10.8.0.{number}")


def _bare_guest(node: Node, name: str, bridge: str, address: str) -> None:
    node.run(f"ip netns add {name}")
    node.run(f"ip link add {name} mtu {NETWORK.mtu} master {bridge} up type veth peer name eth0 netns {name}")
    node.run(f"ip -n {name} addr add {address}/24 dev eth0")
    node.run(f"ip -n {name} link set eth0 mtu {NETWORK.mtu} up")


def _filters() -> PortFilters:
    """Return the filters of all guests: one group with 200 rules, of which the last one allows the traffic."""
    others = [Rule(str(UUID(int=100 + number)), "in", "ipv4", "tcp", (number, number)) for number in range(1, 198)]
    rules = (
        *others,
        Rule(str(UUID(int=2)), "out", "ipv4", "any"),
        Rule(str(UUID(int=3)), "in", "ipv4", "tcp", (IPERF_PORT, IPERF_PORT)),
        Rule(str(UUID(int=4)), "in", "ipv4", "icmp"),
    )
    group = SecurityGroup("bench", GROUP, 1, rules, {})
    ports = tuple(FilteredPort(port, (port.mac,), (GROUP,)) for port in (SERVER, NEAR, FAR))
    return PortFilters(ports, {GROUP: group})


def node_footprint(networks: int, ports: int, rounds: int) -> dict[str, Any]:
    """Measure a node with so many networks of so many ports: time per port, memory, and the guard's processor time."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        node = _node(stack, folder / "node")
        taken: list[float] = []
        before = _memory_mib(node)
        for number in range(1, networks + 1):
            members = _ports(a_network(number, IPV4), ports)
            for count in range(1, ports + 1):
                started = time.perf_counter()
                node.ensure(members[count - 1], *members[: count - 1])
                taken.append(time.perf_counter() - started)
        after = _memory_mib(node)
        node.keep_rules()
        started, cpu = time.perf_counter(), _cpu_s(node)
        for _ in range(rounds):
            node.keep_rules()
        checks = (time.perf_counter() - started) / rounds
        return {
            "networks": networks,
            "ports": networks * ports,
            "first_port_ms": round(median(taken[:ports]) * 1000, 1),
            "last_port_ms": round(median(taken[-ports:]) * 1000, 1),
            "memory_mib": {key: round(after[key] - before[key], 1) for key in after},
            "check_of_rules_ms": round(checks * 1000, 2),
            "check_of_rules_cpu_ms": round((_cpu_s(node) - cpu) / rounds * 1000, 2),
        }


def _ports(network: NetworkSpec, number: int) -> list[PortSpec]:
    return [a_port(network, each) for each in range(number)]


def _memory_mib(node: Node) -> dict[str, float]:
    """Return the PSS of dnsmasq and of the switch's process."""
    pids = node.run("pgrep -x dnsmasq", check=False).split()
    return {"dnsmasq": sum(_pss_mib(node, pid) for pid in pids), "switch": _pss_mib(node, SWITCH_PID)}


def _pss_mib(node: Node, pid: str) -> float:
    text = node.run(f"cat /proc/{pid}/smaps_rollup")
    return int(next(line for line in text.splitlines() if line.startswith("Pss:")).split()[1]) / 1024


def _cpu_s(node: Node) -> float:
    """Return the processor time of the switch's process and of its ended children, in seconds."""
    fields = node.run(f"cat /proc/{SWITCH_PID}/stat").rsplit(")", 1)[1].split()
    return sum(int(field) for field in fields[11:15]) / 100
