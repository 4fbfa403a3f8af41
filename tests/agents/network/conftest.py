"""A throw-away node with a real switch, and guests on it."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agents.node.adapters.network_specs import PortSpec
from tests.agents.network.namespace_node import Guest, Node


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    with running_node(tmp_path) as node:
        yield node


@contextmanager
def running_node(folder: Path) -> Iterator[Node]:
    """Run a node; its tests are skipped without root."""
    if os.geteuid() != 0:
        pytest.skip("namespaces need root")
    node = Node(folder)
    try:
        yield node
    finally:
        node.close()


@contextmanager
def node_with(folder: Path, *ports: PortSpec) -> Iterator[Node]:
    """Run a node whose switch has started and has these ports."""
    with running_node(folder) as node:
        node.start_agent()
        for number, port in enumerate(ports):
            node.ensure(port, *ports[:number])
        yield node


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
