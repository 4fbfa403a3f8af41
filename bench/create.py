"""Benchmark of create: POST to active over the fake adapter, in sequence, then in bursts with 1 and 4 clients.

`ARGS="--sequence 2 --burst 4"` makes fewer.
"""

import argparse
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from bench import processes
from bench.common import bench_cloud, instance_body, moment, print_progress, report, spread
from scripts.api import Api
from scripts.cloud import Cloud

WARM_UP = 5
SEQUENCE = 40
BURST = 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sequence", type=int, default=SEQUENCE)
    parser.add_argument("--burst", type=int, default=BURST)
    options = parser.parse_args()
    with bench_cloud("create", is_fake=True) as (cloud, api):
        for number in range(WARM_UP):
            create_one(api, f"warm-{number}")
        print_progress(f"{options.sequence} in sequence")
        samples = [create_one(api, f"one-{number}") for number in range(options.sequence)]
        document: dict[str, Any] = {
            "post_answered": spread([answered for answered, _ in samples]),
            "post_to_active": spread([active for _, active in samples]),
        }
        for clients in (1, 4):
            print_progress(f"a burst of {options.burst} with {clients} clients")
            document[f"burst_{clients}"] = burst(cloud, api, clients, options.burst)
        report(document)


def create_one(api: Api, name: str) -> tuple[float, float]:
    """Create an instance; returns two durations in seconds.

    They are until the answer, and until the operation's end by the clock of the row.
    """
    begun = time.time()
    operation = api.post("instances", instance_body(name))["operation"]
    answered = time.time()
    ended = api.wait(operation)
    if ended["state"] != "succeeded":
        raise SystemExit(ended["error"])
    return answered - begun, moment(ended["finished_at"]) - begun


def burst(cloud: Cloud, api: Api, clients: int, instances: int) -> dict[str, Any]:
    before = processes.read(cloud)
    begun = time.time()
    with ThreadPoolExecutor(clients) as pool:
        operations = list(
            pool.map(
                lambda n: api.post("instances", instance_body(f"burst-{clients}-{n}"))["operation"], range(instances)
            )
        )
    posted = time.time()
    ended = [api.wait(operation) for operation in operations]
    last = max(moment(operation["finished_at"]) for operation in ended)
    after = processes.read(cloud)
    if any(operation["state"] != "succeeded" for operation in ended):
        raise SystemExit("Not all instances were created.")
    return {
        "instances": instances,
        "posts_per_s": round(instances / (posted - begun), 1),
        "instances_per_s": round(instances / (last - begun), 1),
        "cpu_ms_per_instance": {
            name: round((after[name].cpu_s - before[name].cpu_s) * 1000 / instances, 1) for name in after
        },
    }


if __name__ == "__main__":
    main()
