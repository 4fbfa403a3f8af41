"""The effect of a greedy tenant on another one, over the fake adapter.

`drips`: eight servers of images send a byte every two seconds to imports of two projects of one organization; what
another organization's instances and imports take meanwhile, beside what they take without, in turns. `queue`: 2 000
instances of one project wait; how much later one of another project is active than with an empty queue.

`ARGS="--rounds 1 --instances 2 --imports 1 --queued 20"` is a small one.
"""

import argparse
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Any

from bench.common import UNLIMITED, bench_cloud, moment, print_progress, report
from bench.create import create_one
from bench.operation_load import OperationLoad, query
from bench.servers import HOST, Images, serving
from bench.throughput import ROOMY
from bench.workers import Workers
from scripts.api import Api
from scripts.cloud import Cloud
from scripts.polling import wait_until

SERVERS = 8
WARM_UP = 5
SAMPLES = 5  # instances that are created behind the queue, one after the other
CLIENTS = 4
AT_ONCE = 4  # imports of one organization: the default of IMAGE_IMPORTS_PER_ORGANIZATION
WHEN = ("quiet", "dripping")
SETTINGS = UNLIMITED | {"IMAGE_IMPORT_PRIVATE_HOSTS": HOST}
PENDING = "SELECT count(*) FROM operations_operation WHERE state = 'pending'"
BEGUN = "SELECT count(*) FROM operations_operation WHERE created_at >= %s AND started_at IS NOT NULL"


def main() -> None:
    options = _parser().parse_args()
    with bench_cloud("bulkheads", is_fake=True, agent_options=ROOMY, settings=SETTINGS) as (cloud, api):
        names = (f"instance-{number}" for number in count())
        for _ in range(WARM_UP):
            create_one(api, next(names))
        greedy = greedy_projects(cloud)
        report(
            {"drips": drips(cloud, api, greedy, names, options), "queue": queue(cloud, api, greedy[0], names, options)}
        )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench.bulkheads", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--instances", type=int, default=20, help="instances in each turn of a round")
    parser.add_argument("--imports", type=int, default=5, help="image imports in each turn of a round")
    parser.add_argument("--queued", type=int, default=2000)
    return parser


def greedy_projects(cloud: Cloud) -> list[Api]:
    """Two projects of one organization: as many imports run at once as one organization may have."""
    token, _ = cloud.make_project("greedy")
    cloud.stack.manage("create_project", "greedy", "greedy-too")
    options = ["--project", "greedy-too", "--name", "too", "--role", "owner", "--days", "30"]
    tokens = {"greedy": token, "greedy-too": cloud.stack.manage("create_token", "greedy@example.org", *options)}
    return [Api(cloud.stack.url, secret, project=name) for name, secret in tokens.items()]


def drips(cloud: Cloud, api: Api, greedy: Sequence[Api], names: Iterator[str], options: argparse.Namespace) -> Any:
    samples: dict[str, list[float]] = {f"{what}_{when}": [] for what in ("create", "import") for when in WHEN}
    released_s: list[float] = []
    with serving(SERVERS) as images:
        import_one(api, images.honest, "warm")
        for number in range(options.rounds):
            print_progress(f"slow imports, round {number + 1}")
            turn(api, images, names, options, samples, "quiet")
            with dripping(greedy, images, released_s):
                turn(api, images, names, options, samples, "dripping")
    return {
        "servers": SERVERS,
        "at_once": AT_ONCE,
        "released_after_s": round(max(released_s), 1),
        **{what: compared(samples[f"{what}_quiet"], samples[f"{what}_dripping"]) for what in ("create", "import")},
    }


def turn(
    api: Api,
    images: Images,
    names: Iterator[str],
    options: argparse.Namespace,
    samples: dict[str, list[float]],
    when: str,
) -> None:
    """Add a median of each kind to the samples."""
    created = [create_one(api, next(names))[1] for _ in range(options.instances)]
    imported = [import_one(api, images.honest, next(names)) for _ in range(options.imports)]
    samples[f"create_{when}"].append(statistics.median(created))
    samples[f"import_{when}"].append(statistics.median(imported))


def import_one(api: Api, url: str, name: str) -> float:
    """Seconds from sending the request until the import's end by the clock of the row. The image is deleted again."""
    begun = time.time()
    ended = api.wait(api.post("images", image_body(name, url))["operation"])
    if ended["state"] != "succeeded":
        raise SystemExit(ended["error"])
    api.delete(f"images/{name}")
    return moment(ended["finished_at"]) - begun


def image_body(name: str, url: str) -> dict[str, str]:
    return {"name": name, "format": "qcow2", "source_url": url}


@contextmanager
def dripping(greedy: Sequence[Api], images: Images, released_s: list[float]) -> Iterator[None]:
    """Images are imported from all slow servers while the block runs, and deleted after it; how long it takes until no
    server sends any more is added to `released_s`."""
    for number, url in enumerate(images.slow):
        greedy[number % len(greedy)].post("images", image_body(f"slow-{number}", url))
    wait_until(lambda: images.dripping() == AT_ONCE, or_else=lambda: f"{images.dripping()} servers send")
    yield
    if images.dripping() != AT_ONCE:
        raise SystemExit(f"{images.dripping()} slow servers still send; expected {AT_ONCE}.")
    begun = time.monotonic()
    for number in range(len(images.slow)):
        greedy[number % len(greedy)].delete(f"images/slow-{number}")
    wait_until(lambda: images.dripping() == 0, or_else=lambda: f"{images.dripping()} servers send")
    released_s.append(time.monotonic() - begun)


def compared(quiet: Sequence[float], crowded: Sequence[float]) -> dict[str, Any]:
    ratios = sorted(there / here for there, here in zip(crowded, quiet, strict=True))
    return {
        "ratio": round(statistics.median(ratios), 2),
        "ratios": [round(ratio, 2) for ratio in ratios],
        "quiet_ms": round(statistics.median(quiet) * 1000, 1),
        "dripping_ms": round(statistics.median(crowded) * 1000, 1),
    }


def queue(cloud: Cloud, api: Api, greedy: Api, names: Iterator[str], options: argparse.Namespace) -> dict[str, Any]:
    floor = [create_one(api, next(names))[1] for _ in range(SAMPLES)]
    greedy.post("networks", {"name": "lan", "cidr": "10.0.0.0/16"})
    with Workers(cloud).paused():
        print_progress(f"{options.queued} instances requested")
        accepted = OperationLoad(cloud, greedy, project="greedy").ask("instances", options.queued, clients=CLIENTS)
    wait_until(lambda: query(cloud.stack, BEGUN, accepted.begun) > [(0,)])
    waiting, taken = [], []
    for _ in range(SAMPLES):
        waiting.append(query(cloud.stack, PENDING)[0][0])
        taken.append(create_one(api, next(names))[1])
    return {
        "queued": options.queued,
        "waiting_when_asked": waiting,
        "empty_s": [round(each, 2) for each in sorted(floor)],
        "behind_s": [round(each, 2) for each in taken],
        "more_s": round(max(taken) - statistics.median(floor), 2),
    }


if __name__ == "__main__":
    main()
