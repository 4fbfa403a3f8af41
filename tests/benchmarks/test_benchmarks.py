"""Every benchmark runs to its end, as small as it can be: `make bench NAME=…` is not broken. What it measures is looked
at by nobody here."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence

import pytest

from scripts.control_plane import ROOT

# What makes each one small. A new benchmark needs a line.
SMALL = {
    "api": "--rows 100 --rounds 1 --seconds 0.5 --clients 1",
    "audit": "--rounds 20",
    "boot": "--instances 1",
    "bulkheads": "--rounds 1 --instances 2 --imports 1 --queued 20",
    "cli": "--rounds 1",
    "create": "--sequence 2 --burst 4",
    "dashboard": "--instances 5 --streams 5",
    "drain": "--guests 2 --at-once 1",
    "evacuate": "--guests 2",
    "evidence": "--instances 50",
    "footprint": "--seconds 5",
    "lighthouse": "--runs 1",
    "metrics": "--guests 20",
    "migrate": "--moves 1 --failures 1",
    "network": "--rounds 1 --members 20 --seconds 1 --networks 2 --nodes 10 --instances 20",
    "node_network": "--networks 3 --peers 2 --links 3 --rounds 1",
    "operations": "--workers 1 --operations 3 --rounds 1 --nodes 20 --seconds 5 --guests 4 --queued 20",
    "overload": "--rounds 1 --seconds 0.5",
    "permits": "--samples 2",
    "placement": "--nodes 100 --no-fsync",
    "port_metrics": "--networks 2 --rounds 1",
    "stream": "--streams 5",
    "terraform": "--volumes 2",
    "usage": "--guests 1",
    "volumes": "--rounds 1 --image-gib 1 --move-mib 64 --consistency crash",
}
REAL = {
    "boot",
    "drain",
    "evacuate",
    "footprint",
    "migrate",
    "network",
    "node_network",
    "port_metrics",
    "usage",
    "volumes",
}  # they need libvirt, and root
# They say where the control plane of this run is, and a benchmark has its own.
OF_THE_RUN = ("ANDROMEDE_", "DJANGO_")


def commands() -> Sequence[str]:
    """The benchmarks: bench/baseline.py and bench/node_enrolment.py are helpers."""
    texts = {path.stem: path.read_text() for path in (ROOT / "bench").glob("*.py")}
    return sorted(name for name, text in texts.items() if "__main__" in text and "report(" in text)


def test_each_benchmark_has_a_small_size() -> None:
    assert list(SMALL) == commands()


@pytest.mark.nightly
@pytest.mark.slow
@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.lab if name in REAL else ()) for name in SMALL])
def test_a_benchmark_runs(name: str) -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith(OF_THE_RUN)}
    command = [sys.executable, "-m", f"bench.{name}", *SMALL[name].split()]
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr[-4000:]
    assert json.loads(ran.stdout)
