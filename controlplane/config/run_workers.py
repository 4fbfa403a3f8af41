"""Several workers of Celery, forked from one process that has loaded everything:

    python -m controlplane.config.run_workers worker transfer=4 periodic

starts each in a process of its own, with the given number of threads, and restarts ended ones. SIGTERM ends them in
order. Loaded modules are in memory once, as long as no process writes to them. Threads and connections do not survive a
fork, so there must be none before; each worker makes its own.

Forked processes have one user, the same settings and the same certificate. A worker with keys of its own is started
by itself: `celery --app controlplane.config worker …`.
"""

import argparse
import gc
import logging
import os
import signal
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

import django
from django.db import connections

from controlplane.config.celery import TASKS, app
from controlplane.config.workers import WORKERS, arguments

log = logging.getLogger(__name__)

# Modules that a worker otherwise imports at its start.
OF_START = (
    "celery.app.control",
    "celery.app.events",
    "celery.apps.worker",
    "celery.bin.celery",
    "celery.concurrency.thread",
    "celery.contrib.django.task",
    "celery.worker.autoscale",
    "celery.worker.components",
    "celery.worker.strategy",
    "controlplane.kernel.kombu_transport",
    "controlplane.kernel.celery_metrics",
)
# Delay before an ended worker is restarted; it doubles each time that the worker ends early.
RESTART_S, RESTART_MOST_S = 1.0, 30.0
EARLY_S = 60.0
AWAITED = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT)


def load(names: Iterable[str]) -> None:
    """Import the modules of these workers, before they are forked from this process.

    Raises:
        RuntimeError: an import has started a thread or opened a connection, which forked processes would not have.
    """
    # Imported here, since it reads the settings, whose name main() sets first.
    from controlplane.config.periodic import JOBS

    queues = {queue for name in names for queue in WORKERS[name].queues.split(",")}
    for module in (*OF_START, *{TASKS[queue] for queue in queues}):
        import_module(module)
    for job in JOBS:
        if job.queue in queues:
            job.work  # noqa: B018 - imports it
    _check_alone()
    # Forked processes share memory that none of them writes to, and the garbage collector writes to what it examines.
    gc.collect()
    gc.freeze()


def _check_alone() -> None:
    """Check that this process has one thread, also counting threads outside of Python, as gRPC's."""
    threads = len(list(Path("/proc/self/task").iterdir()))
    opened = [each.alias for each in connections.all(initialized_only=True) if each.connection is not None]
    if threads > 1 or opened:
        raise RuntimeError(f"before workers are made there are {threads} threads, and connections to {opened}")


def begin_anew(name: str) -> None:
    """Reset the signal handlers of the parent in a new forked process."""
    for number in AWAITED:
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    Path("/proc/self/comm").write_text(name)  # for ps and top


def celery(given: Sequence[str]) -> int:
    """Run a worker in this process until it ends. `given`: its arguments(). Returns its exit status."""
    return int(app.start(list(given)) or 0)


@dataclass
class WorkerSupervisor:
    """The workers of this process. `threads`: by name of the worker. `delay_s`: before the next restart of each."""

    threads: Mapping[str, int]
    running: dict[int, str] = field(default_factory=dict)
    due: dict[str, float] = field(default_factory=dict)
    delay_s: dict[str, float] = field(default_factory=dict)
    began: dict[str, float] = field(default_factory=dict)
    is_ending: bool = False

    def supervise(self) -> None:
        """Start all workers and restart ended ones, until this process gets a signal and they all have ended.

        A forked process leaves by SystemExit.
        """
        signal.pthread_sigmask(signal.SIG_BLOCK, AWAITED)
        self.due = dict.fromkeys(self.threads, 0.0)
        while self.running or not self.is_ending:
            self._start_due()
            wait_s = max(0.0, min(self.due.values(), default=EARLY_S + time.monotonic()) - time.monotonic())
            received = signal.sigtimedwait(AWAITED, wait_s)
            if received is not None and received.si_signo != signal.SIGCHLD:
                self._end(received.si_signo)
            self._reap()

    def _start_due(self) -> None:
        now = time.monotonic()
        for name in [name for name, due in self.due.items() if due <= now]:
            del self.due[name]
            self.began[name] = now
            pid = os.fork()
            if pid == 0:
                begin_anew(name)
                sys.exit(celery(arguments(name, self.threads[name])))
            self.running[pid] = name

    def _end(self, number: int) -> None:
        """Pass the signal on. A terminal sends SIGINT to all processes itself."""
        self.is_ending = True
        self.due.clear()
        if number == signal.SIGTERM:
            for pid in self.running:
                os.kill(pid, signal.SIGTERM)

    def _reap(self) -> None:
        while self.running:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            name = self.running.pop(pid)
            if not self.is_ending:
                self._await(name, os.waitstatus_to_exitcode(status))

    def _await(self, name: str, code: int) -> None:
        now = time.monotonic()
        is_early = now - self.began[name] < EARLY_S
        delay_s = self.delay_s.get(name, RESTART_S) if is_early else RESTART_S
        self.due[name], self.delay_s[name] = now + delay_s, min(delay_s * 2, RESTART_MOST_S)
        log.error("process %s exited with code %s and is restarted in %g s", name, code, delay_s)


def main(given: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m controlplane.config.run_workers",
        description="Run worker processes and restart those that exit.",
    )
    parser.add_argument("workers", nargs="+", type=_named, metavar="NAME[=THREADS]", help=", ".join(WORKERS))
    threads = dict(parser.parse_args(given).workers)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlplane.config.settings")  # noqa: TID251
    django.setup(set_prefix=False)
    load(threads)
    WorkerSupervisor(threads).supervise()


def _named(word: str) -> tuple[str, int]:
    name, equals, threads = word.partition("=")
    if name not in WORKERS:
        raise argparse.ArgumentTypeError(f"there is no worker {name!r}, but {', '.join(WORKERS)}")
    if equals and not (threads.isdecimal() and int(threads)):
        raise argparse.ArgumentTypeError(f"{name}: a number of threads is 1 or more, not {threads!r}")
    return name, int(threads or 0)


if __name__ == "__main__":
    main(sys.argv[1:])
