"""Worker processes of Celery: their queues and threads, and the command of each. config/run_workers.py starts those
that may share one user together.
"""

from collections.abc import Mapping
from dataclasses import dataclass

# Workers need not know one another.
LONELY = ("--without-gossip", "--without-mingle", "--without-heartbeat")


@dataclass(frozen=True)
class Worker:
    """A worker. `queues` that it reads, separated by commas; `threads`: the default number."""

    queues: str
    threads: int


WORKERS: Mapping[str, Worker] = {
    "worker": Worker("operations", 8),
    "transfer": Worker("transfers,imports", 8),
    "periodic": Worker("periodic,urgent", 8),
    "signer": Worker("signer", 2),
    "sentinel": Worker("sentinel", 1),
    "webhooks": Worker("webhooks", 8),
}


def arguments(name: str, threads: int = 0) -> list[str]:
    """Return the arguments of the command `celery` for this worker; `threads`: 0 for its default."""
    worker = WORKERS[name]
    own = ["--queues", worker.queues, "--concurrency", str(threads or worker.threads), "--hostname", f"{name}@%h"]
    return ["--app", "controlplane.config", "worker", "--pool", "threads", *own, *LONELY, "--loglevel", "WARNING"]
