"""Benchmark of idle CPU and memory of each process: a control plane and one real node, with nothing to do.

`ARGS="--seconds 5"` looks for a shorter time.
"""

import argparse
import time

from bench import processes
from bench.common import bench_cloud, print_progress, report

IDLE_S = 30


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=IDLE_S)
    seconds = parser.parse_args().seconds
    with bench_cloud("footprint", is_fake=False, nodes=1) as (cloud, _):
        print_progress(f"idle for {seconds} s")
        before = processes.read(cloud)
        time.sleep(seconds)
        after = processes.read(cloud)
        table = {
            name: {
                "pss_mib": round(after[name].pss_mib, 1),
                "cpu_percent_of_a_core": round((after[name].cpu_s - before[name].cpu_s) * 100 / seconds, 2),
            }
            for name in after
        }
        total = sum(row["pss_mib"] for name, row in table.items() if not name.startswith("agent"))
        report({"processes": table, "control_plane_pss_mib": round(total, 1)})


if __name__ == "__main__":
    main()
