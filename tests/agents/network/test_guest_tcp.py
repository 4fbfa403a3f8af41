"""TCP connections from a network's router to its guests: on real namespaces, with root."""

from collections.abc import Callable

import pytest

from tests.agents.network.namespace_node import Guest, Node, a_network, a_port, gateway

pytestmark = pytest.mark.lab
Plug = Callable[..., Guest]
PORT, CLOSED = 8080, 8081
WEB = a_port(a_network(1), 0)
TWIN = a_port(a_network(2), 0)  # the same address in another network


@pytest.fixture
def guest(node: Node, plug: Plug) -> Guest:
    node.start_agent()
    guest = plug(WEB)
    guest.run(f"ip addr add {WEB.ip}/24 dev eth0")
    return guest


def test_guest_is_reached_from_the_gateway_of_its_own_network(node: Node, plug: Plug, guest: Guest) -> None:
    twin = plug(TWIN)
    twin.run(f"ip addr add {TWIN.ip}/24 dev eth0")
    with node.server(PORT, namespace=guest.name):
        assert node.exchange(WEB, PORT, b"who am I?\n") == f"{gateway(WEB.network)}\n".encode()
        assert node.exchange(TWIN, PORT, b"who am I?\n") == "ConnectionRefusedError"


def test_closed_port_is_refused(node: Node, guest: Guest) -> None:
    assert node.exchange(WEB, CLOSED, b"") == "ConnectionRefusedError"


def test_silent_guest_is_not_waited_for(node: Node, guest: Guest) -> None:
    guest.run("ip addr flush dev eth0")
    assert node.exchange(WEB, PORT, b"") == "TimeoutError"
    guest.run(f"ip addr add {WEB.ip}/24 dev eth0")
    guest.run("nft add table ip f")
    guest.run("nft add chain ip f i { type filter hook input priority 0 ; policy drop ; }")
    assert node.exchange(WEB, PORT, b"") == "TimeoutError"


def test_missing_router_is_a_failure_of_the_node(node: Node, guest: Guest) -> None:
    assert "cannot be entered" in str(node.exchange(TWIN, PORT, b""))


def test_no_path_leads_out_of_the_network(node: Node, guest: Guest) -> None:
    """A listener outside, at an address that the router has a route to."""
    with node.server(PORT, namespace="outside"):
        assert node.exchange(WEB, PORT, b"x\n", address="203.0.113.9") == "TimeoutError"


def test_router_still_accepts_nothing_but_ping_and_dhcp(node: Node, guest: Guest) -> None:
    with node.server(PORT, namespace=guest.name):
        node.exchange(WEB, PORT, b"x\n")
    assert guest.call(gateway(WEB.network), PORT) == "silent"
