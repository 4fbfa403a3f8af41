"""Processes that call librbd and librados, with a time limit: such a call waits for minutes when the cluster is away.

One that does not answer within the limit, or says nothing of its progress for so long, is killed, and the next call
gets a new one. What it had open stays open for the cluster, up to 30 s, or locked: OpenVolume fences it.
"""

import json
import socket
import threading
from collections.abc import Callable, Generator
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from typing import Any

from agents.node import process
from agents.storage.errors import OF_WORKERS, ClusterFailed, ClusterSilent
from agents.storage.worker.data_frames import DATA

MODULE = "agents.storage.worker"
MAX_ANSWER_BYTES = 64 * 2**20
START_S = 60.0
"""Until a process has started, which takes longer on a busy machine, and says nothing about the cluster."""


@dataclass(frozen=True, slots=True)
class Access:
    """Names the cluster and the user of a worker. `keyring` empty: where Ceph looks for it by default."""

    conf: str
    client: str
    keyring: str = ""


class Workers:
    """At most `count` processes, started when they are needed. Safe for use by many threads."""

    def __init__(self, access: Access, *, count: int, limit_s: float) -> None:
        self._access = access
        self._limit_s = limit_s
        self._slots = threading.BoundedSemaphore(count)
        self._lock = threading.Lock()
        self._idle: list[_Worker] = []
        self._all: set[_Worker] = set()
        self._is_closed = False

    def call(self, name: str, should_stop: Callable[[], bool] = lambda: False, /, **arguments: object) -> Any:
        """Call a function of the worker, by its name in agents/storage/worker/__main__.py.

        `should_stop`: asked while the call makes progress. Calls that can be stopped end with their process.

        Raises:
            ClusterSilent: it did not answer in time, or no process was free for so long.
            ClusterFailed: the cluster refused, or the process has ended.
            AgentError: as the function raises.
        """
        sent = self.stream(name, should_stop, **arguments)
        try:
            while True:
                next(sent)
        except StopIteration as exc:
            return exc.value

    def stream(
        self, name: str, should_stop: Callable[[], bool] = lambda: False, /, **arguments: object
    ) -> Generator[bytes, None, Any]:
        """Call a function of the worker that sends data: yield them, and return its answer.

        The limit is for each message: a receiver that is slow has as much time as it needs. A generator that is closed
        before the answer ends the process. Otherwise as call().
        """
        if not self._slots.acquire(timeout=self._limit_s):
            raise ClusterSilent(f"The cluster answers other calls too slowly: none ended within {self._limit_s} s.")
        try:
            answer = yield from self._call_worker(self._take(), name, arguments, should_stop)
        finally:
            self._slots.release()
        if "error" in answer:
            raise OF_WORKERS[answer["error"]](answer["message"])
        return answer["result"]

    def close(self) -> None:
        """Kill all processes; calls that wait for them fail."""
        with self._lock:
            self._is_closed = True
            idle, left = set(self._idle), list(self._all)
        for worker in left:
            worker.kill()
        for worker in idle:
            worker.disconnect()

    def _call_worker(
        self, worker: "_Worker", name: str, arguments: dict[str, object], should_stop: Callable[[], bool]
    ) -> Generator[bytes, None, dict[str, Any]]:
        is_usable = False
        try:
            answer = yield from worker.ask(name, arguments, limit_s=self._limit_s, should_stop=should_stop)
            # After a failure of Ceph its connection may be of no use any more, as when the client was fenced.
            is_usable = answer.get("error") not in (ClusterFailed.code, ClusterSilent.code)
        except TimeoutError:
            raise ClusterSilent(f"The cluster did not answer within {self._limit_s} s.") from None
        except (EOFError, OSError) as exc:
            raise ClusterFailed("The process that calls the cluster has ended; see the log.") from exc
        finally:
            self._give_back(worker, is_usable=is_usable)
        return answer

    def _take(self) -> "_Worker":
        with self._lock:
            if self._is_closed:
                raise ClusterFailed("The agent is stopping.")
            if self._idle:
                return self._idle.pop()
            worker = _Worker(self._access)
            self._all.add(worker)
            return worker

    def _give_back(self, worker: "_Worker", *, is_usable: bool) -> None:
        with self._lock:
            if is_usable and not self._is_closed:
                self._idle.append(worker)
                return
            self._all.discard(worker)
        worker.kill()
        worker.disconnect()


class _Worker:
    def __init__(self, access: Access) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = process.start_module(MODULE, theirs.fileno())
        self._connection = Connection(ours.detach())
        self._send(asdict(access))
        self._is_ready = False
        self._count = 0

    def ask(
        self, name: str, arguments: dict[str, object], *, limit_s: float, should_stop: Callable[[], bool]
    ) -> Generator[bytes, None, dict[str, Any]]:
        """Yield the data that come before the answer, and return the answer.

        Each message begins the limit anew, and the first one about progress says that the process has started.

        Raises:
            TimeoutError: there is none.
            EOFError, OSError: the process has ended.
        """
        self._count += 1
        self._send({"call": name, "arguments": arguments, "number": self._count})
        while self._connection.poll(limit_s if self._is_ready else START_S):
            message = self._connection.recv_bytes(MAX_ANSWER_BYTES)
            if message.startswith(DATA):
                yield message[len(DATA) :]
                continue
            answer: dict[str, Any] = json.loads(message)
            if "progress" not in answer:
                return answer
            self._is_ready = True
            if should_stop():
                self._send({"stop": self._count})
        raise TimeoutError

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def disconnect(self) -> None:
        self._connection.close()

    def _send(self, message: object) -> None:
        self._connection.send_bytes(json.dumps(message).encode())
