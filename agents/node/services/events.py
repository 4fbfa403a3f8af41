"""Guest events: deliver changes from the hypervisor to the watchers of the node."""

import queue
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from agents.node.errors import Exhausted
from agents.node.services.usage import UsageSample

MAX_WATCHES = 4
MAX_PENDING = 1000
MAX_READINGS = 6


class Watch:
    """Queue of one watcher. A watcher that reads too slowly loses the queue, watches again and gets the whole state."""

    def __init__(self) -> None:
        self._queue: queue.Queue[UUID | None] = queue.Queue(maxsize=MAX_PENDING)
        self._has_overflowed = threading.Event()
        self._is_closed = threading.Event()
        self._is_nudged = threading.Event()
        self._readings: deque[UsageSample] = deque(maxlen=MAX_READINGS)

    def next(self, timeout_s: float) -> UUID | None:
        """Return the next guest that has changed;

        None after `timeout_s` seconds without one, when nudged, or when closed.

        Raises:
            Exhausted: events came faster than they were read.
        """
        if self._has_overflowed.is_set():
            raise Exhausted("The watcher reads too slowly for the events. Watch again.")
        try:
            guest_id = self._queue.get(timeout=max(timeout_s, 0))
        except queue.Empty:
            return None
        if guest_id is None:
            self._is_nudged.clear()
        return guest_id

    @property
    def is_closed(self) -> bool:
        return self._is_closed.is_set()

    def nudge(self) -> None:
        """Wake the reader; several nudges before it reads count as one."""
        if not self._is_nudged.is_set():
            self._is_nudged.set()
            self.push(None)

    def offer(self, reading: UsageSample) -> bool:
        """Offer a usage sample to the reader; returns False when the queue was full and the oldest sample was
        dropped.
        """
        has_room = len(self._readings) < MAX_READINGS
        self._readings.append(reading)
        self.nudge()
        return has_room

    def readings(self) -> Iterator[UsageSample]:
        """Return the usage samples offered since the last call."""
        while self._readings:
            yield self._readings.popleft()

    def push(self, guest_id: UUID | None) -> None:
        try:
            self._queue.put_nowait(guest_id)
        except queue.Full:
            self._has_overflowed.set()

    def close(self) -> None:
        self._is_closed.set()
        try:
            self._queue.put_nowait(None)  # wakes the reader
        except queue.Full:
            self._has_overflowed.set()


class Hub:
    """Publishes each event to every watch; `publish` is a listener of `Hypervisor.subscribe`, `nudge` of `Receipts`."""

    def __init__(self) -> None:
        self._watches: set[Watch] = set()
        self._lock = threading.Lock()

    def publish(self, guest_id: UUID) -> None:
        with self._lock:
            for watch in self._watches:
                watch.push(guest_id)

    def nudge(self) -> None:
        """Wake all watches for news that is not about a guest."""
        with self._lock:
            for watch in self._watches:
                watch.nudge()

    @contextmanager
    def watch(self) -> Iterator[Watch]:
        """Open a watch; at most MAX_WATCHES at a time, since each occupies a thread of the server."""
        watch = Watch()
        with self._lock:
            if len(self._watches) >= MAX_WATCHES:
                raise Exhausted(f"The limit of {MAX_WATCHES} watchers of this node is reached.")
            self._watches.add(watch)
        try:
            yield watch
        finally:
            with self._lock:
                self._watches.discard(watch)

    def close(self) -> None:
        with self._lock:
            for watch in self._watches:
                watch.close()
