"""Usage of guests, sampled in turns: apart from heartbeats, so that a slow libvirt delays no heartbeat."""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from agents.node.adapters.interfaces import GuestUsage
from agents.node.adapters.network_specs import tap_name
from agents.node.adapters.port_filters import PortCounters
from agents.node.context import Node
from agents.node.errors import AdapterError
from agents.node.services import migration_state

log = logging.getLogger(__name__)

# Each node has its own moment within a turn, so that not all of them report at once. It is never so late that a slow
# reading would belong to the next turn.
SPREAD = 0.8
STOP_WAIT_S = 1.0


@dataclass(frozen=True, slots=True)
class UsageSample:
    """The counters of all guests at one moment; `port_ids` by the devices of their ports.

    `counters`: what rules have counted, by the same devices; None: they could not be read.
    """

    at_unix_ms: int
    guests: Mapping[UUID, GuestUsage]
    port_ids: Mapping[str, UUID]
    counters: Mapping[str, PortCounters] | None = None


class SampleSink(Protocol):
    def offer(self, reading: UsageSample) -> bool: ...


class UsageSampler:
    """Reads once in each turn; concurrent callers get the same sample, with the same moment."""

    def __init__(self, node: Node, *, now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000) -> None:
        self._node = node
        self._now_ms = now_ms
        self._lock = threading.Lock()
        self._last: tuple[tuple[int, int], UsageSample] | None = None

    def read(self, interval_ms: int) -> UsageSample:
        """Return the sample of this turn.

        Raises:
            AdapterError: the hypervisor does not answer.
        """
        with self._lock:
            turn = (interval_ms, (self._now_ms() - self._offset_ms(interval_ms)) // interval_ms)
            if self._last is None or self._last[0] != turn:
                self._last = (turn, self._reading())
            return self._last[1]

    def until_next_s(self, interval_ms: int) -> float:
        return (interval_ms - (self._now_ms() - self._offset_ms(interval_ms)) % interval_ms) / 1000

    def _offset_ms(self, interval_ms: int) -> int:
        return self._node.identity.node_id.int % max(int(interval_ms * SPREAD), 1)

    def _reading(self) -> UsageSample:
        at_unix_ms = self._now_ms()
        used = self._node.adapters.hypervisor.usage()
        carried = migration_state.stopped_and_migrating(self._node)
        guests = {guest_id: usage for guest_id, usage in used.items() if guest_id not in carried}
        ports = {tap_name(UUID(entry.id)): UUID(entry.id) for entry in self._node.state_store.ports.held()}
        return UsageSample(at_unix_ms, guests, ports, self._counters())

    def _counters(self) -> Mapping[str, PortCounters] | None:
        """Return the counters of rules; a failure costs no other part of the sample."""
        try:
            return self._node.adapters.switch.counters()
        except AdapterError as exc:
            log.warning("counters of ports not read", extra={"facts": {"problem": exc.message}})
            return None


@contextmanager
def offer_samples(meter: UsageSampler, watcher: SampleSink, interval_ms: int) -> Iterator[None]:
    """Offer the watcher a sample in each turn within the block; with an interval of 0, none."""
    if interval_ms == 0:
        yield
        return
    stop = threading.Event()
    thread = threading.Thread(target=_offer_loop, args=(meter, watcher, interval_ms, stop), name="usage", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(STOP_WAIT_S)


def _offer_loop(meter: UsageSampler, watcher: SampleSink, interval_ms: int, stop: threading.Event) -> None:
    dropped = 0
    while not stop.wait(meter.until_next_s(interval_ms)):
        try:
            reading = meter.read(interval_ms)
        except AdapterError as exc:
            log.info("usage reading failed", extra={"facts": {"problem": exc.message}})
            continue
        except sqlite3.ProgrammingError as exc:  # the agent ends, and its state store is closed already
            log.info("usage reading ended", extra={"facts": {"problem": str(exc)}})
            return
        if not watcher.offer(reading):
            dropped += 1
            log.warning("usage readings dropped, watcher too slow", extra={"facts": {"dropped": dropped}})
