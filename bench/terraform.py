"""100 volumes by Terraform over the fake adapter: apply, plan again, destroy; beside the same by plain calls of the
API, ten at a time as Terraform does it."""

import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from bench.common import bench_cloud, report, say
from scripts.api import Api
from scripts.terraform import Installation, Workspace

VOLUMES = 100
PARALLEL = 10  # Terraform's default
CONFIGURATION = f"""resource "andromede_volume" "many" {{
  count    = {VOLUMES}
  name     = "many-${{count.index}}"
  size_gib = 1
}}
"""


def main() -> None:
    with bench_cloud("terraform", is_fake=True) as (_, api), tempfile.TemporaryDirectory() as folder:
        say(f"{VOLUMES} volumes by plain calls")
        document: dict[str, Any] = {"volumes": VOLUMES, "plain_calls": by_plain_calls(api)}
        say(f"{VOLUMES} volumes by Terraform")
        document["terraform"] = by_terraform(Path(folder), api)
        report(document)


def by_plain_calls(api: Api) -> dict[str, float]:
    with ThreadPoolExecutor(PARALLEL) as pool:

        def create(number: int) -> str:
            made = api.post("volumes", {"name": f"plain-{number}", "size_gib": 1})
            api.wait(made["operation"])
            return str(made["id"])

        ids, created_s = timed(lambda: list(pool.map(create, range(VOLUMES))))
        _, read_s = timed(lambda: list(pool.map(lambda volume: api.get(f"volumes/{volume}"), ids)))
        _, deleted_s = timed(lambda: list(pool.map(lambda volume: api.delete_if_there(f"volumes/{volume}"), ids)))
    return {"create_s": created_s, "read_s": read_s, "delete_s": deleted_s}


def by_terraform(folder: Path, api: Api) -> dict[str, float]:
    installation = Installation(folder / "installation", "andromede", "clients.terraform.main").make()
    (folder / "tf").mkdir()
    tf = Workspace(folder / "tf", installation, {"ANDROMEDE_URL": api.url, "ANDROMEDE_TOKEN": api.token})
    tf.write(CONFIGURATION)
    _, applied_s = timed(tf.apply)
    _, planned_s = timed(tf.assert_no_changes)
    _, destroyed_s = timed(tf.destroy)
    return {"apply_s": applied_s, "plan_again_s": planned_s, "destroy_s": destroyed_s}


def timed(act: Any) -> tuple[Any, float]:
    begun = time.monotonic()
    result = act()
    return result, round(time.monotonic() - begun, 1)


if __name__ == "__main__":
    main()
