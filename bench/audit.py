"""Benchmark of the request log: its cost for a write.

The same PATCH of a network is measured with the record, without it (the floor), and with a record whose two statements
are flushed to disk, in turns. All runs in this process, with a PostgreSQL of its own that flushes to disk.

`ARGS="--rounds 500"` takes fewer.
"""

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

from bench.common import bench_database, report, spread
from scripts.control_plane import ROOT, Stack

ROUNDS = 2_000
MIDDLEWARE = "controlplane.api.request_audit.RequestAuditMiddleware"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    arguments = parser.parse_args()
    with bench_database(Stack(ROOT / "var" / "bench-audit")):
        report(measure(arguments.rounds))


def measure(rounds: int) -> dict[str, Any]:
    from controlplane.audit import request_records
    from controlplane.audit.models import RequestRecord
    from controlplane.network.services import network_create
    from tests.world import make_tenant

    tenant = make_tenant("bench")
    network_create(tenant.actor, tenant.project, name="lan", cidr="10.0.0.0/24", dns_servers=[], labels={})
    recorded, floor = caller(has_request_audit=True), caller(has_request_audit=False)
    lazily = request_records.LAZILY
    taken: dict[str, list[float]] = {"recorded": [], "floor": [], "waited_for": []}
    for number in range(-50, rounds):
        for name, call in (("floor", floor), ("recorded", recorded), ("waited_for", recorded)):
            request_records.LAZILY = "" if name == "waited_for" else lazily
            started = time.perf_counter()
            call(number)
            if number >= 0:
                taken[name].append(time.perf_counter() - started)
    assert RequestRecord.objects.filter(outcome="succeeded").count() == 2 * (rounds + 50)
    figures: dict[str, Any] = {name: spread(times) for name, times in taken.items()}
    for name in ("recorded", "waited_for"):
        added = sorted(a - b for a, b in zip(taken[name], taken["floor"], strict=True))
        figures[name]["added_p50_ms"] = round(1000 * added[len(added) // 2], 2)
    return figures


def caller(*, has_request_audit: bool) -> Callable[[int], None]:
    """Return a client that calls the API in this process, through its own middleware."""
    from django.conf import settings
    from django.test import Client, override_settings

    client = Client(headers={"Authorization": "Bearer bench"})
    chain = [each for each in settings.MIDDLEWARE if has_request_audit or each != MIDDLEWARE]
    with override_settings(MIDDLEWARE=chain, ALLOWED_HOSTS=["testserver"]):
        client.handler.load_middleware()
    settings.ALLOWED_HOSTS = ["testserver"]

    def call(number: int) -> None:
        body = json.dumps({"labels": {"number": f"n{number}"}})
        answer = client.patch("/v1/projects/bench/networks/lan", body, content_type="application/json")
        assert answer.status_code == 200, answer.content

    return call


if __name__ == "__main__":
    main()
