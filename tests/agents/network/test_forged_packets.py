"""Packets of the table of forged frames that are routed: from a guest to where it may not send, and from outside.

On real namespaces, with root. Absence is shown as in test_isolation; each packet is known by a text in it.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from agents.lab.shell import wait_until
from agents.node.adapters.network import namespace_name
from tests.agents.network import forged_beyond as beyond
from tests.agents.network import frames
from tests.agents.network import ipv4_frames as v4
from tests.agents.network.forged_kinds import (
    ATTACKER,
    FREE4,
    GATEWAY4,
    GATEWAY_MAC,
    HERS,
    NETWORK,
    OWN4,
    PUBLIC,
    PUBLIC6,
    VICTIM,
)
from tests.agents.network.namespace_node import Guest, Node
from tests.agents.network.test_forged_frames import with_public_addresses
from tests.agents.network.test_public_addresses import OUTSIDE, wait_for_addresses

pytestmark = pytest.mark.lab
END = beyond.text_in("end")


@dataclass
class Scenario:
    """A node with two guests of one network, and the outside."""

    node: Node
    attacker: Guest
    victim: Guest
    router: Guest
    host: Guest
    outside: Guest

    def arrive(self, packets: Iterable[bytes]) -> None:
        """Send IP packets from outside to the node."""
        mac, here = (self.node.run("cat /sys/class/net/u0/address", namespace=each).strip() for each in ("", "outside"))
        kinds = {4: frames.IPV4, 6: frames.IPV6}
        self.outside.send(
            *(frames.ethernet(here, mac, kinds[packet[0] >> 4], packet) for packet in packets), device="u0"
        )

    def passed(
        self, names: Iterable[str], *, leaving: Iterable[bytes] = (), arriving: Iterable[bytes] = ()
    ) -> set[str]:
        """Return the names of the packets that leave the guest's network, or that arrive there.

        What arrives for the node itself is the node's own affair.
        """
        with ExitStack() as stack:
            received = [
                stack.enter_context(self.victim.capturing(until=END)),
                stack.enter_context(self.router.receiving_packets(until=END)),
            ]
            if arriving:
                received.append(stack.enter_context(self.attacker.capturing(until=END)))
            else:
                received.append(stack.enter_context(self.outside.capturing(until=END, device="u0")))
                received.append(stack.enter_context(self.host.receiving_packets(until=END)))
            self.attacker.send(*leaving)
            self.arrive(arriving)
            self._end()
        texts = [text for each in received for text in each]
        return {name for name in names if any(beyond.text_in(name).hex() in text for text in texts)}

    def _end(self) -> None:
        """Send each of them its last packet: through the outside, where those before it have passed then."""
        echo = v4.packet(OWN4, GATEWAY4, protocol=v4.ICMP, body=v4.icmp(8, content=END))
        self.attacker.send(
            v4.framed(HERS, v4.packet(OWN4, beyond.BEYOND, body=v4.udp(4000, 9999, END)), GATEWAY_MAC),
            v4.framed(HERS, echo, GATEWAY_MAC),
            v4.arp(HERS, (HERS, OWN4), (HERS, FREE4)) + END,
        )
        self.arrive(v4.packet(beyond.BEYOND, to, body=v4.udp(4000, 9999, END)) for to in (PUBLIC, beyond.NODE))


@pytest.fixture(scope="module")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenario]:
    if os.geteuid() != 0:
        pytest.skip("namespaces need root")
    node = Node(tmp_path_factory.mktemp("node"))
    try:
        for line in OUTSIDE.strip().splitlines():
            node.run(line)
        node.ensure(ATTACKER)
        node.ensure(VICTIM, ATTACKER)
        attacker, victim = (
            Guest(node, f"guest{port.hostname[-1]}", port).start().configured() for port in (ATTACKER, VICTIM)
        )
        attacker.run(f"ip addr add {PUBLIC6}/128 dev eth0 nodad")
        with_public_addresses(node)
        for name, device in [("", "u0"), ("outside", "u0"), (attacker.name, "eth0"), (victim.name, "eth0")]:
            wait_for_addresses(node, name, device)
        others = (Guest(node, name, ATTACKER) for name in (namespace_name(NETWORK.id), "", "outside"))
        scenario = Scenario(node, attacker, victim, *others)
        wait_until(
            lambda: scenario.outside.pings(PUBLIC) and scenario.outside.pings(PUBLIC6), what="answers of the guest"
        )
        yield scenario
    finally:
        node.close()


def test_no_packet_of_a_guest_goes_where_none_may(scenario: Scenario) -> None:
    forged = {kind.name: kind.frame for group in beyond.OF_GUESTS for kind in group.kinds()}
    for _ in range(2):
        assert sorted(scenario.passed(forged, leaving=forged.values())) == []
        assert scenario.passed(beyond.HONEST, leaving=beyond.HONEST.values()) == set(beyond.HONEST)
        scenario.node.run("nft flush ruleset")
        scenario.node.run("nft flush ruleset", namespace=scenario.router.name)
        scenario.node.keep_rules()


def test_no_forged_packet_from_outside_gets_in(scenario: Scenario) -> None:
    forged = {kind.name: kind.frame for group in beyond.OF_OUTSIDE for kind in group.kinds()}
    honest = beyond.HONEST_OF_OUTSIDE
    for _ in range(2):
        assert sorted(scenario.passed(forged, arriving=forged.values())) == []
        assert scenario.passed(honest, arriving=honest.values()) == set(honest)
        scenario.node.run("nft flush ruleset")
        scenario.node.run("nft flush ruleset", namespace=scenario.router.name)
        scenario.node.keep_rules()
