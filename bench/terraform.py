"""Benchmark of Terraform: 100 volumes over the fake adapter: apply, plan again, destroy.

The floor is plain calls of the API, ten at a time as Terraform does it.

`ARGS="--volumes 5"` makes fewer.
"""

import argparse
import resource
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from bench.common import bench_cloud, print_progress, report
from scripts.api import Api
from scripts.terraform import Installation, Workspace

VOLUMES = 100
PARALLEL = 10  # Terraform's default
CONFIGURATION = """resource "andromede_volume" "many" {{
  count    = {volumes}
  name     = "many-${{count.index}}"
  size_gib = 1
}}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--volumes", type=int, default=VOLUMES)
    volumes = parser.parse_args().volumes
    with bench_cloud("terraform", is_fake=True) as (_, api), tempfile.TemporaryDirectory() as folder:
        print_progress(f"{volumes} volumes by API calls")
        document: dict[str, Any] = {"volumes": volumes, "plain_calls": by_plain_calls(api, volumes)}
        print_progress(f"{volumes} volumes by Terraform")
        document["terraform"] = by_terraform(Path(folder), api, volumes)
        report(document)


def by_plain_calls(api: Api, volumes: int) -> dict[str, Any]:
    with ThreadPoolExecutor(PARALLEL) as pool:

        def create(number: int) -> str:
            answer = api.post("volumes", {"name": f"plain-{number}", "size_gib": 1})
            api.wait(answer["operation"])
            return str(answer["id"])

        ids, created = timed(lambda: list(pool.map(create, range(volumes))))
        _, read = timed(lambda: list(pool.map(lambda volume: api.get(f"volumes/{volume}"), ids)))
        _, deleted = timed(lambda: list(pool.map(lambda volume: api.delete_if_there(f"volumes/{volume}"), ids)))
    return {"create": created, "read": read, "delete": deleted}


def by_terraform(folder: Path, api: Api, volumes: int) -> dict[str, Any]:
    installation = Installation(folder / "installation", "andromede", "clients.terraform.main").make()
    (folder / "tf").mkdir()
    tf = Workspace(folder / "tf", installation, {"ANDROMEDE_URL": api.url, "ANDROMEDE_TOKEN": api.token})
    tf.write(CONFIGURATION.format(volumes=volumes))
    _, applied = timed(tf.apply)
    _, planned = timed(tf.assert_no_changes)
    _, destroyed = timed(tf.destroy)
    return {"apply": applied, "plan_again": planned, "destroy": destroyed}


def timed(act: Any) -> tuple[Any, dict[str, float]]:
    """Return the answer and its seconds: of the clock, and of processors, here and in ended children.

    Processor time separates the client's own work from waiting for a cloud on the same processors.
    """
    begun, spent = time.monotonic(), processors_s()
    result = act()
    return result, {"s": round(time.monotonic() - begun, 1), "cpu_s": round(processors_s() - spent, 1)}


def processors_s() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


if __name__ == "__main__":
    main()
