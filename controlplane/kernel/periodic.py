"""Periodic jobs. config/periodic.py has the table of them.

A process runs the jobs of the queues that it reads. Of several such processes one leads: it holds an advisory lock of
PostgreSQL for the queue, and another takes over when its connection ends. A job holds an advisory lock of its own while
it runs, so that it never runs twice at once, also when a leader that lost its connection is still running it. A job
that takes longer than its interval starts again when it has ended; missed runs are not repeated. Each running job has
its own thread, so a job that hangs does not delay others. Threads cannot be killed, so a job that exceeds its limit is
reported in the log, in a metric, and by GET /readyz.
"""

import logging
import threading
import time
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sized
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.db import Error, close_old_connections, connection
from django.utils.module_loading import import_string
from prometheus_client import Counter, Gauge, Histogram
from psycopg import Connection

from controlplane.kernel.errors import CloudError
from controlplane.kernel.prepared_queries import preparing_cursor
from telemetry.http_endpoint import NotReady

log = logging.getLogger(__name__)

FOUND = Counter("andromede_reconciler_findings_total", "Findings of reconcilers.", ["reconciler"])
RUNS = Counter("andromede_periodic_runs_total", "Ended runs of periodic jobs.", ["job", "outcome"])
OVERRUNS = Counter("andromede_periodic_overruns_total", "Runs of periodic jobs beyond the job's time limit.", ["job"])
SUCCEEDED = Gauge(
    "andromede_periodic_last_success_timestamp_seconds",
    "Unix time of the job's last successful run; 0: none since the process began.",
    ["job"],
)
EVERY = Gauge("andromede_periodic_interval_seconds", "Planned interval of the job in seconds.", ["job"])
SECONDS = Histogram(
    "andromede_periodic_duration_seconds",
    "Duration of successful runs of periodic jobs in seconds.",
    ["job"],
    buckets=(0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 1800),
)
LEADING, RUNNING = 0x616E_6401, 0x616E_6402  # first keys of the advisory locks
LEADER_CHECK_S = 2.0


@dataclass(frozen=True)
class Job:
    """A periodic job.

    `path`: a function without arguments, whose result is logged. `queue`: the processes that may run it.
    """

    name: str
    path: str
    every_s: float
    limit_s: float
    queue: str = "periodic"

    @cached_property
    def work(self) -> Callable[[], object]:
        """Return the function; imported on first use, only by the processes that run it."""
        function: Callable[[], object] = import_string(self.path)
        return function

    @property
    def is_reconciler(self) -> bool:
        return self.path.startswith("controlplane.reconcilers.")


def run(job: Job) -> bool:
    """Run the job now, unless it runs in another process. False: it ran, or it failed, which is logged and counted."""
    outcome = "failed"
    began = time.monotonic()
    try:
        with _job_lock(job.name) as is_alone:
            if not is_alone:
                outcome = "held"
                return False
            result = job.work()
        outcome = "succeeded"
    except CloudError as exc:
        log.error("periodic job %s failed: %s %s", job.name, exc, exc.facts)
        return False
    except Exception:
        log.exception("periodic job %s failed", job.name)
        return False
    finally:
        RUNS.labels(job.name, outcome).inc()
    SECONDS.labels(job.name).observe(time.monotonic() - began)
    SUCCEEDED.labels(job.name).set_to_current_time()
    if job.is_reconciler:
        FOUND.labels(job.name).inc(_amount(result))
    return True


def _amount(result: object) -> int:
    if isinstance(result, int):
        return result
    return len(result) if isinstance(result, Sized) else 0


@contextmanager
def _job_lock(name: str) -> Iterator[bool]:
    """Try to lock the job until the end of the block or of the connection; yields True on success."""
    is_alone = _try_lock(RUNNING, name)
    try:
        yield is_alone
    finally:
        if is_alone and connection.connection is not None and not connection.connection.closed:
            _unlock(RUNNING, name)


def _try_lock(kind: int, name: str) -> bool:
    with preparing_cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s::int, %s::int)", [kind, _key(name)])
        return bool(cursor.fetchone()[0])


def _unlock(kind: int, name: str) -> None:
    try:
        with preparing_cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s::int, %s::int)", [kind, _key(name)])
    except Error:
        log.warning("periodic job %s lost its database connection and with it its lock", name)
        connection.close()


def _key(name: str) -> int:
    """Return a signed 32-bit key, as PostgreSQL's advisory locks require."""
    return zlib.crc32(name.encode()) - 2**31


class Loop:
    """Loop that runs the jobs of one queue in this process while it leads."""

    def __init__(self, queue: str, jobs: Iterable[Job]) -> None:
        self._queue = queue
        self._jobs = {job.name: job for job in jobs}
        self._due = dict.fromkeys(self._jobs, 0.0)
        self._begun: dict[str, float] = {}
        self._reported: set[str] = set()
        self._connections: dict[int, Connection[Any] | None] = {}
        self._turn = threading.Condition()
        self._is_over = False
        self._is_leader = False
        self._next_check = 0.0
        self._pool = ThreadPoolExecutor(max(len(self._jobs), 1), thread_name_prefix=f"periodic-{queue}")
        self._thread = threading.Thread(target=self._lead, name=f"periodic-{queue}", daemon=True)

    def start(self) -> None:
        for job in self._jobs.values():
            EVERY.labels(job.name).set(job.every_s)
        self._thread.start()

    def stop(self) -> None:
        """Start no more jobs. Running jobs continue to their ends."""
        with self._turn:
            self._is_over = True
            self._turn.notify()

    def join(self) -> None:
        """After stop(): wait for the running jobs, and close the connections of their threads."""
        self._thread.join()
        self._pool.shutdown()
        for own in self._connections.values():
            if own is not None:
                own.close()

    def run_now(self, name: str) -> bool:
        """Run the job at once, and once more if it is running. False: this loop does not lead, or has no such job."""
        with self._turn:
            if not self._is_leader or name not in self._jobs:
                return False
            self._due[name] = 0.0
            self._turn.notify()
            return True

    def check_overruns(self) -> None:
        """Raise NotReady if a job runs longer than its limit."""
        with self._turn:
            late = sorted(name for name in self._begun if self._is_late(name))
        if late:
            raise NotReady(f"longer than their limits take: {', '.join(late)}")

    def _is_late(self, name: str) -> bool:
        return time.monotonic() - self._begun[name] > self._jobs[name].limit_s

    def _lead(self) -> None:
        while not self._is_over:
            is_leader = self._check_leader()
            with self._turn:
                wait_s = self._begin_due() if is_leader else LEADER_CHECK_S
                if not self._is_over:
                    self._turn.wait(wait_s)
        connection.close()

    def _check_leader(self) -> bool:
        """Check regularly that this thread's connection, which holds the leader lock, still exists."""
        now = time.monotonic()
        if now < self._next_check:
            return self._is_leader
        self._next_check = now + LEADER_CHECK_S
        try:
            if self._is_leader:
                with preparing_cursor() as cursor:
                    cursor.execute("SELECT")
            else:
                self._is_leader = _try_lock(LEADING, self._queue)
        except Error as exc:
            log.warning("periodic jobs of queue %s paused: database unavailable: %s", self._queue, str(exc).strip())
            connection.close()
            self._is_leader = False
        return self._is_leader

    def _begin_due(self) -> float:
        """Start the jobs that are due; returns the seconds until the next one."""
        now = time.monotonic()
        for name in self._jobs:
            if name in self._begun:
                self._report_overrun(name)
            elif self._due[name] <= now:
                self._begun[name] = now
                self._due[name] = now + self._jobs[name].every_s
                self._pool.submit(self._run, self._jobs[name])
        waiting = [self._due[name] for name in self._jobs if name not in self._begun]
        return max(0.0, min([now + LEADER_CHECK_S, *waiting]) - time.monotonic())

    def _report_overrun(self, name: str) -> None:
        if name not in self._reported and self._is_late(name):
            self._reported.add(name)
            OVERRUNS.labels(name).inc()
            log.error("periodic job %s exceeds its limit of %s s", name, self._jobs[name].limit_s)

    def _run(self, job: Job) -> None:
        try:
            run(job)
        finally:
            close_old_connections()
            with self._turn:
                self._connections[threading.get_ident()] = connection.connection
                del self._begun[job.name]
                self._reported.discard(job.name)
                self._turn.notify()


_loops: list[Loop] = []


def start(queues: Collection[str], jobs: Iterable[Job]) -> list[Loop]:
    """Start the jobs of these queues in this process."""
    all_jobs = tuple(jobs)
    for queue in queues:
        if mine := [job for job in all_jobs if job.queue == queue]:
            _loops.append(Loop(queue, mine))
            _loops[-1].start()
    return _loops


def stop() -> None:
    """Start no more jobs in this process."""
    while _loops:
        _loops.pop().stop()


def check_overruns() -> None:
    """Raise NotReady if a job of this process runs longer than its limit."""
    for loop in _loops:
        loop.check_overruns()


def run_now(name: str) -> bool:
    """Run the job at once in this process's loop. False: no loop of this process that has the job leads."""
    return any(loop.run_now(name) for loop in _loops)
