"""IPv6 and several subnets: isolation of a hostile guest, and what an honest one gets; on real namespaces, with root.

Absence is shown as in test_isolation: by an honest frame that arrives after what must not.
"""

from collections.abc import Callable

import pytest

from agents.node.adapters.network import namespace_name
from tests.agents.network.forged_ipv6 import ATTACKER, FORGED, HONEST, HONEST_ONES, NETWORK, VICTIM
from tests.agents.network.namespace_node import Guest, Node

pytestmark = pytest.mark.lab
Plug = Callable[..., Guest]
ROUTER = namespace_name(NETWORK.id)


def passed(attacker: Guest, victim: Guest, forged: dict[str, bytes]) -> list[str]:
    """Return the names of the frames that reach the victim."""
    with victim.capturing(until=HONEST) as seen:
        attacker.send(*forged.values(), HONEST)
    return [name for name, frame in forged.items() if frame.hex() in seen]


@pytest.fixture
def attacker(plug: Plug) -> Guest:
    return plug(ATTACKER)


@pytest.fixture
def victim(attacker: Guest, plug: Plug) -> Guest:
    return plug(VICTIM, ATTACKER)


def test_forged_frames_reach_no_neighbour_before_and_after_a_flush(node: Node, attacker: Guest, victim: Guest) -> None:
    assert passed(attacker, victim, FORGED) == []
    assert passed(attacker, victim, HONEST_ONES) == list(HONEST_ONES)
    node.run("nft flush ruleset")
    node.keep_rules()
    assert passed(attacker, victim, FORGED) == []
    assert passed(attacker, victim, HONEST_ONES) == list(HONEST_ONES)
