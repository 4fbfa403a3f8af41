"""A storage cluster of a cloud in processes of its own, whose storage agent is tests/storage_agent.py.

The cloud's fake nodes need the trait `rbd`: NODE_OPTIONS of their agents.

    python -m tests.fake_storage FOLDER ZONE

serves such an agent until it is terminated. The environment is that of a process of the control plane.
"""

import signal
import sys
from pathlib import Path

import django

from scripts.api import Api
from scripts.control_plane import Stack
from scripts.polling import wait_until
from tests.limits import PATIENCE_S

POOL = "rbd"
VOLUME_TYPE = {"id": POOL, "description": "In the storage cluster of the zone.", "pool": POOL}
NODE_OPTIONS = ("--fake-trait", "rbd")


def start_storage(stack: Stack, operator: Api, *, zone: str) -> None:
    """Start the agent in the zone, and return when the zone's nodes have its pool and its volume type is there."""
    folder = stack.var / "storage"
    folder.mkdir()
    stack.spawn("storage", [sys.executable, "-m", "tests.fake_storage", str(folder), zone])
    wait_until(
        lambda: any(pool["name"] == POOL and pool["nodes"] for pool in operator.get("/v1/pools")["items"]),
        limit_s=PATIENCE_S,
        or_else=lambda: str(operator.get("/v1/storage-clusters")),
    )
    operator.post("/v1/volume-types", VOLUME_TYPE)


def main() -> None:
    django.setup()
    from tests.storage_agent import FakeStorageAgent, storage_pool  # its models need the setup

    ends = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)  # also in the threads of the server
    folder, zone = sys.argv[1:]
    agent = FakeStorageAgent(Path(folder), zone=zone)
    agent.description.pools[0].CopyFrom(storage_pool(POOL, size_gib=1000))
    agent.enrol()
    with agent.serving():
        signal.sigwait(ends)


if __name__ == "__main__":
    main()
