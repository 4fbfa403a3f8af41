"""The table of forged frames against a hostile guest's neighbours and routers: on real namespaces, with root.

Absence is shown as in test_isolation: by an honest frame that arrives after what must not. Each frame goes as it is, and
addressed to the neighbour's card alone, which is the only way to a port with security groups.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

import pytest

from agents.node.adapters.network import namespace_name
from tests.agents.network import frames
from tests.agents.network.forged_kinds import ATTACKER, HIS, NETWORK, STRAY4, VICTIM
from tests.agents.network.forged_table import HONEST, HONEST_FOR_ROUTER, OF_GUESTS
from tests.agents.network.namespace_node import Guest, Node

pytestmark = pytest.mark.lab
Plug = Callable[..., Guest]
ROUTER = namespace_name(NETWORK.id)
# Those with another's MAC address come last: without rules, the bridge believes them.
FORGED = {kind.name: kind.frame for kind in sorted(OF_GUESTS, key=lambda kind: frames.source_mac(kind.frame) != ATTACKER.mac)}
# Bridges themselves take no frame whose sender is a group, or zero.
DROPPED_BY_BRIDGES = {
    "source MAC of IPv4 multicast",
    "source MAC of IPv6 multicast",
    "source MAC of broadcast",
    "source MAC of zeros",
    "IPv6 with the MAC of a group",
}
END = frames.arp(ATTACKER.mac, ATTACKER.ip, STRAY4)


def variants(frame: bytes) -> Iterator[bytes]:
    yield frame
    if frame[0] & 1:
        yield bytes.fromhex(HIS.replace(":", "")) + frame[6:]


def passed(attacker: Guest, victim: Guest, sent: Mapping[str, bytes]) -> set[str]:
    """Return the names of the frames that reach the victim or the attacker's router."""
    router = Guest(attacker.node, ROUTER, attacker.port)
    with victim.capturing(until=END) as at_victim, router.capturing(until=END, device="lan") as at_router:
        attacker.send(*(each for frame in sent.values() for each in variants(frame)), END)
    seen = {frames.content(bytes.fromhex(frame)) for frame in (*at_victim, *at_router)}
    return {name for name, frame in sent.items() if frames.content(frame) in seen}


def missing(attacker: Guest, victim: Guest, sent: Mapping[str, bytes]) -> list[str]:
    return sorted(set(sent) - passed(attacker, victim, sent))


@pytest.fixture
def attacker(plug: Plug) -> Guest:
    return plug(ATTACKER)


@pytest.fixture
def victim(attacker: Guest, plug: Plug) -> Guest:
    return plug(VICTIM, ATTACKER)


def test_without_rules_the_frames_arrive(node: Node, attacker: Guest, victim: Guest) -> None:
    node.run("nft flush ruleset")
    assert set(missing(attacker, victim, FORGED)) == DROPPED_BY_BRIDGES


def test_no_kind_gets_through(node: Node, attacker: Guest, victim: Guest) -> None:
    for _ in range(2):
        assert sorted(passed(attacker, victim, FORGED)) == []
        assert missing(attacker, victim, HONEST | HONEST_FOR_ROUTER) == []
        node.run("nft flush ruleset")
        node.keep_rules()
