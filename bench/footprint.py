"""Idle CPU and memory of each process: a control plane and one real node, with nothing to do."""

import time

from bench import processes
from bench.common import bench_cloud, report, say

IDLE_S = 30


def main() -> None:
    with bench_cloud("footprint", is_fake=False, nodes=1) as (cloud, _):
        say(f"idle for {IDLE_S} s")
        before = processes.read(cloud)
        time.sleep(IDLE_S)
        after = processes.read(cloud)
        table = {
            name: {
                "pss_mib": round(after[name].pss_mib, 1),
                "cpu_percent_of_a_core": round((after[name].cpu_s - before[name].cpu_s) * 100 / IDLE_S, 2),
            }
            for name in after
        }
        total = sum(row["pss_mib"] for name, row in table.items() if not name.startswith("agent"))
        report({"processes": table, "control_plane_pss_mib": round(total, 1)})


if __name__ == "__main__":
    main()
