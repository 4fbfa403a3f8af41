"""Self-fencing: stop all guests when the node lease has ended, and let the watchdog reset a node that cannot."""

import logging
import threading
from dataclasses import replace
from uuid import UUID

from agents.node.adapters.interfaces import Power
from agents.node.context import Node
from agents.node.errors import AgentError
from agents.node.lease import STOP_WITHIN_S, TICK_S
from agents.node.services import migration_state

log = logging.getLogger(__name__)

LAPSED = "lease-lapsed"
STOPPED = (Power.OFF, Power.CRASHED)


class SelfFencing:
    """Checks the lease and feeds the watchdog from one thread: if the thread hangs anywhere, the watchdog resets the
    node.
    """

    def __init__(self, node: Node, *, tick_s: float = TICK_S) -> None:
        self._node = node
        self._tick_s = tick_s
        self._is_stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="self-fencing", daemon=True)
        if node.lease.watchdog is not None or node.lease.is_bound:  # else it never has anything to see to
            self._thread.start()

    def stop(self) -> None:
        """Stop.

        The watchdog stays armed unless no guest runs; a restarted agent has the watchdog's timeout to feed it.
        """
        self._is_stopped.set()
        if self._thread.is_alive():
            self._thread.join()
        watchdog = self._node.lease.watchdog
        if watchdog is None:
            return
        has_guests = self._node.lease.is_relied_on and self._running() != []
        if has_guests:
            log.warning("watchdog left armed", extra={"facts": {"timeout_s": watchdog.timeout_s}})
        watchdog.close(disarm=not has_guests)

    def _run(self) -> None:
        while not self._is_stopped.wait(self._tick_s):
            try:
                self._check_lease()
            except Exception:
                log.exception("lease check failed")  # and the watchdog was not fed

    def _check_lease(self) -> None:
        is_over = self._node.lease.over_for_s() is not None
        is_safe = not is_over or self._stop_guests() or (self._node.lease.over_for_s() or 0) < STOP_WITHIN_S
        watchdog = self._node.lease.watchdog
        if watchdog is not None and is_safe:
            watchdog.feed()

    def _stop_guests(self) -> bool:
        """Stop the guests and return whether none runs any more.

        A guest in the middle of its start is stopped next time.
        """
        self._node.permits.starts.end_all()
        running = self._running()
        for guest_id in running or ():
            self._stop_guest(guest_id)
        return running is not None and self._running() == []

    def _stop_guest(self, guest_id: UUID) -> None:
        state_store = self._node.state_store
        log.critical("lease expired, stopping guest", extra={"facts": {"guest": str(guest_id)}})
        if guest_id not in migration_state.stopped_and_migrating(self._node):  # one that is off has not been stopped
            progress = replace(state_store.guest_progress(guest_id), has_started=True, stop_reason=LAPSED)
            state_store.record_progress(guest_id, progress)
        try:
            self._node.adapters.hypervisor.power_off(guest_id)
        except AgentError as exc:
            log.error("guest stop failed", extra={"facts": {"guest": str(guest_id), "problem": exc.message}})

    def _running(self) -> list[UUID] | None:
        """Return the running guests; None if unknown."""
        try:
            states = self._node.adapters.hypervisor.states()
        except AgentError as exc:
            log.error("guest list unavailable", extra={"facts": {"problem": exc.message}})
            return None
        return [guest_id for guest_id, state in states.items() if state.power not in STOPPED]
