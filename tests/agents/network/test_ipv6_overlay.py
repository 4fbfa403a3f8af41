"""IPv6 and several subnets between nodes: on the real namespaces of several nodes around one switch, with root."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.agents.network.forged_kinds import ATTACKER, NETWORK, VICTIM
from tests.agents.network.namespace_node import Guest
from tests.agents.network.test_ipv6 import reaches
from tests.agents.network.test_overlay import nodes, start  # noqa: F401

pytestmark = pytest.mark.lab
Start = Callable[..., Guest]


@pytest.fixture
def attacker(start: Start) -> Guest:  # noqa: F811
    return start(1, ATTACKER)


@pytest.fixture
def victim(attacker: Guest, start: Start) -> Guest:  # noqa: F811
    return start(2, VICTIM)


def test_guests_of_different_subnets_on_two_nodes_reach_one_another(start: Start) -> None:  # noqa: F811
    """Redirects of the gateway lead to the other subnet by IPv4, router advertisements by IPv6: all are on link."""
    one = start(1, replace(ATTACKER, addresses=(ATTACKER.addresses[0], ATTACKER.addresses[2])))
    other = start(2, replace(VICTIM, addresses=(VICTIM.addresses[1], VICTIM.addresses[3])))
    for address in other.port.addresses:
        reaches(one, address)


def test_guests_on_two_nodes_reach_one_another_and_their_own_gateways(attacker: Guest, victim: Guest) -> None:
    for address in VICTIM.addresses:
        reaches(attacker, address)
    for subnet in NETWORK.subnets:
        reaches(attacker, subnet.gateway_ip)
        reaches(victim, subnet.gateway_ip)
