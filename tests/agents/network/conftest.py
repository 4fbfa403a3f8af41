"""A throw-away node with a real switch, and guests on it."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agents.node.adapters.network_specs import PortSpec
from tests.agents.network.namespace_node import Guest, Node


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    if os.geteuid() != 0:
        pytest.skip("namespaces need root")
    node = Node(tmp_path)
    yield node
    node.close()


@pytest.fixture
def plug(node: Node) -> Callable[..., Guest]:
    """Ensure the port and start a guest on it."""
    guests = 0

    def plug(port: PortSpec, *others: PortSpec) -> Guest:
        nonlocal guests
        guests += 1
        node.ensure(port, *others)
        return Guest(node, f"guest{guests}", port).start()

    return plug
