"""Benchmark of the command `andromede`: processor seconds of calls, in turns with two floors.

The floors are Python that does nothing, and Python that loads the libraries that every call of the API needs.

`ARGS="--rounds 2"` takes fewer.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.common import bench_cloud, print_progress, report, spread
from scripts.api import Api
from scripts.control_plane import ROOT

ROUNDS = 10
PYTHON = sys.executable
ANDROMEDE = [PYTHON, "-m", "andromede_cli"]
FLOORS = {
    "python": [PYTHON, "-c", "pass"],
    "libraries": [PYTHON, "-c", "import httpx, typer"],
}
CALLS = {
    "version": [*ANDROMEDE, "--version"],
    "help": [*ANDROMEDE, "instance", "list", "--help"],
    "list": [*ANDROMEDE, "instance", "list"],
    "list_as_json": [*ANDROMEDE, "instance", "list", "-o", "json"],
    "help_of_everything": [*ANDROMEDE, "--help"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    rounds = parser.parse_args().rounds
    with bench_cloud("cli", is_fake=True, nodes=1) as (_, api):
        report(measure(environment(api), rounds))


def environment(api: Api) -> dict[str, str]:
    """Return the environment, with all settings in variables and no profile."""
    packages = os.pathsep.join(str(ROOT / "clients" / name) for name in ("sdk", "cli"))
    home = str(Path(ROOT, "var", "bench-cli"))
    own = {"PATH": os.environ["PATH"], "HOME": home, "PYTHONPATH": packages, "LANG": "C.UTF-8"}
    return {**own, "ANDROMEDE_URL": api.url, "ANDROMEDE_TOKEN": api.token, "ANDROMEDE_PROJECT": "bench"}


def measure(variables: Mapping[str, str], rounds: int) -> dict[str, Any]:
    """Measure; the first round is left out, since it writes Python's compiled modules."""
    spent: dict[str, list[float]] = {name: [] for name in (*FLOORS, *CALLS)}
    for number in range(rounds + 1):
        print_progress(f"round {number} of {rounds}")
        for name, command in (FLOORS | CALLS).items():
            seconds = processors_s(command, variables)
            if number:
                spent[name].append(seconds)
    floor = statistics.median(spent["libraries"])
    ratios = {name: round(statistics.median(spent[name]) / floor, 2) for name in CALLS}
    return {"cpu": {name: spread(samples) for name, samples in spent.items()}, "ratio_to_libraries": ratios}


def processors_s(command: Sequence[str], variables: Mapping[str, str]) -> float:
    """Return the user and system seconds of a process that must succeed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, env=dict(variables), check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
