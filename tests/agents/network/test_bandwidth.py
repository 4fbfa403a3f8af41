"""Limits of a port's bandwidth, on the real namespaces of a node, with root: counted, never timed."""

import subprocess
from collections.abc import Iterator
from dataclasses import replace

import pytest

from agents.node.adapters.network_specs import tap_name
from andromede_core.permits.network_ports import Bandwidth
from tests.agents.network.conftest import node_with
from tests.agents.network.namespace_node import Guest, Node, a_network, a_port, ipv4
from tests.limits import PATIENCE_S

pytestmark = pytest.mark.lab
NETWORK = a_network(1)
LIMITED, OTHER = a_port(NETWORK, 0), a_port(NETWORK, 1)
PACKETS, SIZE_BYTES = 2000, 1400  # 2.8 MB: at 1 Mbit/s they would take 22 s
MBIT = Bandwidth(to_guest=1, from_guest=1)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with node_with(tmp_path_factory.mktemp("node"), LIMITED, OTHER) as node:
        yield node


@pytest.fixture(scope="module")
def guests(node: Node) -> tuple[Guest, Guest]:
    limited, other = Guest(node, "limited", LIMITED).start(), Guest(node, "other", OTHER).start()
    return limited.configured(), other.configured()


def received(node: Node, sender: Guest, receiver: Guest) -> int:
    """Send the packets at once; returns how many bytes of them arrived."""
    sender.run(f"ping -c 1 -W 5 {ipv4(receiver.port)}", check=False)  # so that both know their MAC addresses
    before = _bytes(receiver)
    program = (
        "import socket; s = socket.socket(type=socket.SOCK_DGRAM); "
        f"[s.sendto(bytes({SIZE_BYTES}), ('{ipv4(receiver.port)}', 9)) for _ in range({PACKETS})]"
    )
    argv = node.argv(["python3", "-c", program], sender.name)
    subprocess.run(argv, check=True, timeout=PATIENCE_S)
    return _bytes(receiver) - before


def _bytes(guest: Guest) -> int:
    return int(guest.run("cat /sys/class/net/eth0/statistics/rx_bytes"))


def rules(node: Node) -> list[str]:
    """Return the lines of all rules, sorted: chains that are made again are in another order."""
    return sorted(node.run("nft --stateless list ruleset").splitlines())


def limits(node: Node) -> list[str]:
    return [line for line in rules(node) if "limit rate over" in line and "bytes" in line]


def test_packets_above_the_limit_are_dropped_in_each_direction(node: Node, guests: tuple[Guest, Guest]) -> None:
    limited, other = guests
    sent = PACKETS * SIZE_BYTES
    assert received(node, other, limited) >= sent * 0.95  # no limit yet
    node.ensure(replace(LIMITED, bandwidth=MBIT), OTHER)
    for sender, receiver, direction in ((other, limited, "in"), (limited, other, "out")):
        arrived = received(node, sender, receiver)
        assert sent * 0.02 < arrived < sent * 0.7, (direction, arrived)
        assert node.counters(LIMITED).bandwidth_dropped[direction] > PACKETS * 0.3, direction
    counted = node.counters(LIMITED)
    node.ensure(OTHER, replace(LIMITED, bandwidth=MBIT))
    assert node.counters(LIMITED).bandwidth_dropped == counted.bandwidth_dropped, "they outlive the writing of rules"
    assert not any(node.counters(OTHER).bandwidth_dropped.values())
    assert not any(counted.group_dropped.values())
    assert limited.pings(ipv4(OTHER)) or limited.pings(ipv4(OTHER)), "the connection goes on below the limit"


def test_limits_return_after_a_flush_and_end_with_their_removal(node: Node, guests: tuple[Guest, Guest]) -> None:
    limited, other = guests
    node.ensure(replace(LIMITED, bandwidth=MBIT), OTHER)
    assert len(limits(node)) == 2
    before = rules(node)
    node.run("nft flush ruleset")
    node.keep_rules()
    assert rules(node) == before
    node.ensure(LIMITED, OTHER)
    assert not limits(node)
    assert received(node, other, limited) >= PACKETS * SIZE_BYTES * 0.95
    node.ensure(replace(LIMITED, bandwidth=MBIT), OTHER)
    node.remove(replace(LIMITED, bandwidth=MBIT), OTHER)
    assert not limits(node)
    assert not any(tap_name(LIMITED.id) in line for line in rules(node))
