"""Receipts for guests that stopped by themselves, by a crash, or while the agent was not running."""

from uuid import UUID

from agents.node.adapters.interfaces import Power
from agents.node.context import Node
from agents.node.services.guest_event_thread import GuestEventThread

POLL_INTERVAL_S = 60.0
STOPPED = (Power.OFF, Power.CRASHED)


class StopReceipts(GuestEventThread):
    """Writes the receipt of a guest after each of its events, and of every guest that should run once a minute."""

    def __init__(self, node: Node, *, poll_interval_s: float = POLL_INTERVAL_S) -> None:
        self._node = node
        super().__init__("stop-receipts", poll_interval_s=poll_interval_s)
        self.schedule_check(None)

    def check(self, guest_id: UUID | None) -> None:
        if guest_id is not None:
            close_if_stopped(self._node, guest_id)
            return
        for opening in self._node.permits.receipts.openings("instance"):
            close_if_stopped(self._node, UUID(opening.id))


def close_if_stopped(node: Node, instance_id: UUID) -> None:
    """Write a receipt if the guest was opened under a permit and does not run."""
    with node.locks.hold(("instance", instance_id)):
        if node.permits.receipts.opening("instance", instance_id) is None:
            return
        state = node.adapters.hypervisor.state(instance_id)
        if state is None or state.power in STOPPED:
            reason = node.state_store.guest_progress(instance_id).stop_reason
            node.permits.receipts.closed("instance", instance_id, {"reason": reason} if reason else {})
