"""POST to active over the fake adapter: one after the other, then in bursts with 1 and 4 clients."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from bench import processes
from bench.common import bench_cloud, instance_body, moment, report, say, spread
from scripts.api import Api
from scripts.cloud import Cloud

WARM_UP = 5
SEQUENCE = 40
BURST = 100


def main() -> None:
    with bench_cloud("create", is_fake=True) as (cloud, api):
        for number in range(WARM_UP):
            create_one(api, f"warm-{number}")
        say("40 in sequence")
        samples = [create_one(api, f"one-{number}") for number in range(SEQUENCE)]
        document: dict[str, Any] = {
            "post_answered": spread([answered for answered, _ in samples]),
            "post_to_active": spread([active for _, active in samples]),
        }
        for clients in (1, 4):
            say(f"a burst of {BURST} with {clients} clients")
            document[f"burst_{clients}"] = burst(cloud, api, clients)
        report(document)


def create_one(api: Api, name: str) -> tuple[float, float]:
    """Seconds from sending the request until the answer, and until the operation's end by the clock of the row."""
    begun = time.time()
    operation = api.post("instances", instance_body(name))["operation"]
    answered = time.time()
    ended = api.wait(operation)
    if ended["state"] != "succeeded":
        raise SystemExit(ended["error"])
    return answered - begun, moment(ended["finished_at"]) - begun


def burst(cloud: Cloud, api: Api, clients: int) -> dict[str, Any]:
    before = processes.read(cloud)
    begun = time.time()
    with ThreadPoolExecutor(clients) as pool:
        made = list(
            pool.map(lambda n: api.post("instances", instance_body(f"burst-{clients}-{n}"))["operation"], range(BURST))
        )
    posted = time.time()
    ended = [api.wait(operation) for operation in made]
    last = max(moment(operation["finished_at"]) for operation in ended)
    after = processes.read(cloud)
    if any(operation["state"] != "succeeded" for operation in ended):
        raise SystemExit("not all instances were made")
    return {
        "instances": BURST,
        "posts_per_s": round(BURST / (posted - begun), 1),
        "instances_per_s": round(BURST / (last - begun), 1),
        "cpu_ms_per_instance": {
            name: round((after[name].cpu_s - before[name].cpu_s) * 1000 / BURST, 1) for name in after
        },
    }


if __name__ == "__main__":
    main()
