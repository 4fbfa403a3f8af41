"""Receipts for guests that stopped by themselves, by a crash, or while the agent was not running."""

import logging
import queue
import threading
from uuid import UUID

from agents.node.adapters.interfaces import Power
from agents.node.context import Node
from agents.node.errors import AgentError

log = logging.getLogger(__name__)

POLL_INTERVAL_S = 60.0
STOPPED = (Power.OFF, Power.CRASHED)


class StopReceipts:
    """Checks a guest after each of its events, and every guest that should run once a minute, until `stop`."""

    def __init__(self, node: Node, *, poll_interval_s: float = POLL_INTERVAL_S) -> None:
        self._node = node
        self._poll_interval_s = poll_interval_s
        self._changed: queue.SimpleQueue[UUID | None] = queue.SimpleQueue()
        self._is_stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="closings", daemon=True)
        self._thread.start()

    def schedule_check(self, guest_id: UUID) -> None:
        """Schedule a check and return at once, as the hypervisor's listeners must."""
        self._changed.put(guest_id)

    def stop(self) -> None:
        self._is_stopped.set()
        self._changed.put(None)
        self._thread.join()

    def _run(self) -> None:
        self._check_guests(None)
        while not self._is_stopped.is_set():
            try:
                guest_id = self._changed.get(timeout=self._poll_interval_s)
            except queue.Empty:
                guest_id = None
            if not self._is_stopped.is_set():
                self._check_guests(guest_id)

    def _check_guests(self, guest_id: UUID | None) -> None:
        try:
            if guest_id is not None:
                close_if_stopped(self._node, guest_id)
            else:
                for opening in self._node.permits.receipts.openings("instance"):
                    close_if_stopped(self._node, UUID(opening.id))
        except AgentError as exc:
            log.warning("guest list unavailable", extra={"facts": {"problem": exc.message}})
        except Exception:
            log.exception("stop receipts failed")  # this thread must live as long as the agent


def close_if_stopped(node: Node, instance_id: UUID) -> None:
    """Write a receipt if the guest was opened under a permit and does not run."""
    with node.locks.hold(("instance", instance_id)):
        if node.permits.receipts.opening("instance", instance_id) is None:
            return
        state = node.adapters.hypervisor.state(instance_id)
        if state is None or state.power in STOPPED:
            reason = node.state_store.guest_progress(instance_id).stop_reason
            node.permits.receipts.closed("instance", instance_id, {"reason": reason} if reason else {})
