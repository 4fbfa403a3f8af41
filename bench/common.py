"""A cloud of its own for each benchmark, and the arithmetic of samples."""

import json
import shutil
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from scripts.api import Api
from scripts.cloud import Cloud
from scripts.stack import ROOT, Stack

PORT = 8010
ZONES = {"bench-a": "fr-idf-1", "bench-b": "fr-idf-2", "bench-c": "de-rhein-1"}
NODES_LIMIT_S = 60


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


@contextmanager
def bench_cloud(name: str, *, is_fake: bool, nodes: int = 3) -> Iterator[tuple[Cloud, Api]]:
    """A cloud that ends with the block, its PostgreSQL as durable as in production, with a project and a network."""
    var = ROOT / "var" / f"bench-{name}"
    zones = dict(list(ZONES.items())[:nodes])
    cloud = Cloud(Stack(var, port=PORT, settings=QUOTAS), zones, is_fake=is_fake, say=say)
    cloud.down()
    remove_rows(cloud)
    try:
        cloud.up("tiny")
        yield cloud, prepare(cloud)
    finally:
        cloud.down()


QUOTAS = {"QUOTA_INSTANCES": "100000", "QUOTA_VCPUS": "1000000", "QUOTA_MEMORY_MIB": str(10**9)}


def remove_rows(cloud: Cloud) -> None:
    """Start from an empty cloud, but keep what only costs time: the built images."""
    for folder in cloud.stack.var.glob("*"):
        if folder.name != "built-images":
            shutil.rmtree(folder) if folder.is_dir() else folder.unlink()


def prepare(cloud: Cloud) -> Api:
    manage = cloud.stack.manage
    manage("create_organization", "bench")
    manage("create_project", "bench", "bench")
    manage("create_user", "bench@example.org")
    manage("create_user", "operator@example.org", "--operator")
    manage("add_member", "bench", "bench@example.org", "owner")
    token = manage(
        "create_token", "bench@example.org", "--project", "bench", "--name", "bench", "--role", "owner", "--days", "1"
    )
    operator = Api(
        cloud.stack.url,
        manage("create_token", "operator@example.org", "--name", "bench", "--role", "owner", "--days", "1"),
    )
    wait_until(lambda: all(node["state"] == "ready" for node in operator.get("/v1/nodes")["items"]))
    api = Api(cloud.stack.url, token, project="bench")
    api.post("networks", {"name": "lan", "cidr": "10.0.0.0/16"})
    return api


def wait_until(is_so: Callable[[], bool], *, limit_s: float = NODES_LIMIT_S, every_s: float = 0.05) -> None:
    deadline = time.monotonic() + limit_s
    while not is_so():
        if time.monotonic() > deadline:
            raise SystemExit("The benchmark waited in vain.")
        time.sleep(every_s)


def instance_body(name: str) -> dict[str, Any]:
    return {"name": name, "flavor": "tiny", "image": "tiny", "networks": ["lan"]}


def moment(text: str) -> float:
    """Seconds since the epoch of an RFC 3339 time."""
    return datetime.fromisoformat(text).timestamp()


def spread(samples_s: Sequence[float]) -> dict[str, float]:
    """Milliseconds."""
    ordered = sorted(samples_s)
    return {
        "n": len(ordered),
        "min_ms": round(ordered[0] * 1000, 1),
        "p50_ms": round(statistics.median(ordered) * 1000, 1),
        "p90_ms": round(ordered[int(len(ordered) * 0.9) - 1] * 1000, 1),
        "max_ms": round(ordered[-1] * 1000, 1),
    }


def report(document: dict[str, Any]) -> None:
    print(json.dumps(document, indent=2))
