"""Checks that consoles and tunnels share: limits of their number, and whether the guest runs here."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from agents.node.adapters.interfaces import Power
from agents.node.context import Node
from agents.node.errors import AgentError, Exhausted, GuestMigrating, GuestNotRunning
from agents.node.services import migration_state


class Places:
    """Counts what is open on the node and at each guest. `noun`: in the plural, for the errors."""

    def __init__(self, noun: str) -> None:
        self._noun = noun
        self._taken: list[UUID] = []
        self._lock = threading.Lock()

    @contextmanager
    def take(self, instance_id: UUID, *, of_node: int, of_guest: int) -> Iterator[None]:
        """Take a place within these limits. Raises Exhausted."""
        with self._lock:
            if len(self._taken) >= of_node:
                raise Exhausted(f"The limit of {of_node} open {self._noun} on this node is reached.")
            if self._taken.count(instance_id) >= of_guest:
                raise Exhausted(f"The limit of {of_guest} open {self._noun} of a guest is reached.")
            self._taken.append(instance_id)
        try:
            yield
        finally:
            with self._lock:
                self._taken.remove(instance_id)


def check_running(node: Node, instance_id: UUID) -> None:
    """Check that the guest is this node's and runs. Raises NotFound, GuestNotRunning."""
    node.state_store.instances.require(instance_id)
    state = node.adapters.hypervisor.state(instance_id)
    if state is None or state.power not in (Power.RUNNING, Power.PAUSED):
        raise GuestNotRunning(instance_id)


def why_over(node: Node, instance_id: UUID) -> AgentError | None:
    """Return the error for a session that its guest ended; None if the guest has stopped."""
    if migration_state.is_moving(node, instance_id) or migration_state.has_left(node, instance_id):
        return GuestMigrating(instance_id)
    return None
