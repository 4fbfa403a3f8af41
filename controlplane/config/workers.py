"""The processes that are workers of Celery: what each reads, and how it is started by itself. Those that may have one
user are started together by config/run_workers.py."""

from collections.abc import Mapping
from dataclasses import dataclass

# Workers need to know nothing of one another.
LONELY = ("--without-gossip", "--without-mingle", "--without-heartbeat")


@dataclass(frozen=True)
class Worker:
    """`queues` that it reads, separated by commas; `threads`: how many, where no other number is said."""

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
    """What the command `celery` is told for this worker; `threads`: 0 for as many as it has by default."""
    worker = WORKERS[name]
    own = ["--queues", worker.queues, "--concurrency", str(threads or worker.threads), "--hostname", f"{name}@%h"]
    return ["--app", "controlplane.config", "worker", "--pool", "threads", *own, *LONELY, "--loglevel", "WARNING"]
