"""Shared parts of benchmarks: a cloud for each, and statistics of samples."""

import json
import os
import shutil
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from scripts import services
from scripts.api import Api
from scripts.cloud import Cloud
from scripts.control_plane import ROOT, Stack
from scripts.polling import wait_until

PORT = 8010
# No quota and no rate is what is measured.
NO_RATES = {
    "RATE_READS_PER_MIN": "0",
    "RATE_WRITES_PER_MIN": "0",
    "RATE_ANONYMOUS_PER_MIN": "0",
    "STREAMS_PER_CREDENTIAL": "2000",
}
NO_QUOTAS = {
    "QUOTA_INSTANCES": "100000",
    "QUOTA_VOLUMES": "100000",
    "QUOTA_STORAGE_GIB": "1000000",
    "QUOTA_VCPUS": "1000000",
    "QUOTA_MEMORY_MIB": str(10**9),
    "QUOTA_PORTS": "100000",
    "QUOTA_ADDRESSES": "100000",
    "QUOTA_NETWORKS": "1000",
}
UNLIMITED = NO_RATES | NO_QUOTAS
ZONES = {"bench-a": "fr-idf-1", "bench-b": "fr-idf-2", "bench-c": "de-rhein-1"}


def print_progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


@contextmanager
def bench_cloud(
    name: str,
    *,
    is_fake: bool,
    nodes: int = 3,
    agent_options: Sequence[str] = (),
    settings: Mapping[str, str] = UNLIMITED,
    pool: Path | None = None,
) -> Iterator[tuple[Cloud, Api]]:
    """Start a cloud until the block ends, with a project and a network.

    Its PostgreSQL is as durable as in production. `pool`: a folder that is a pool of all nodes.
    """
    var = ROOT / "var" / f"bench-{name}"
    zones = dict(list(ZONES.items())[:nodes])
    stack = Stack(var, port=PORT, settings=settings)
    pools = {} if pool is None else dict.fromkeys(zones, pool)
    cloud = Cloud(stack, zones, is_fake=is_fake, agent_options=agent_options, pools=pools, log=print_progress)
    cloud.down()
    cloud.forget()
    try:
        cloud.up("tiny")
        yield cloud, prepare(cloud)
    finally:
        cloud.down()


@contextmanager
def bench_database(stack: Stack) -> Iterator[None]:
    """Start a PostgreSQL and a Redis until the block ends, with Django in this process, and nothing else of the
    stack.
    """
    stack.stop()
    shutil.rmtree(stack.var, ignore_errors=True)
    stack.var.mkdir(parents=True)
    (stack.var / "secret-key").write_text("of no use to anybody")
    try:
        services.start(stack.var, is_durable=stack.is_durable)
        environment = stack.environment()
        os.environ.clear()
        os.environ.update(environment)
        stack.migrate()
        import django

        django.setup()
        yield
    finally:
        stack.stop()


def prepare(cloud: Cloud) -> Api:
    token, operator = cloud.make_project("bench")
    nodes = Api(cloud.stack.url, operator)
    wait_until(lambda: all(node["state"] == "ready" for node in nodes.get("/v1/nodes")["items"]))
    api = Api(cloud.stack.url, token, project="bench")
    api.post("networks", {"name": "lan", "cidr": "10.0.0.0/16"})
    return api


def is_ready(platform: Api, node: str) -> bool:
    return bool(platform.get(f"/v1/nodes/{node}")["state"] == "ready")


def instance_body(name: str) -> dict[str, Any]:
    return {"name": name, "flavor": "tiny", "image": "tiny", "networks": ["lan"]}


def moment(text: str) -> float:
    """Return the seconds since the epoch of an RFC 3339 time."""
    return datetime.fromisoformat(text).timestamp()


def timed_rounds(call: Callable[[], object], *, rounds: int) -> list[float]:
    """Return the seconds of each call; one before them is not counted."""
    call()
    samples_s = []
    for _ in range(rounds):
        started = time.perf_counter()
        call()
        samples_s.append(time.perf_counter() - started)
    return samples_s


def spread(samples_s: Sequence[float]) -> dict[str, float]:
    """Return the statistics in milliseconds."""
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
