"""Report of `make fuzz` on phases that did not end."""

import argparse
import json
from pathlib import Path

import pytest

from scripts.cloud import Cloud
from scripts.control_plane import Stack
from scripts.fuzz import PHASES, Run
from scripts.fuzz_world import World

TALLY = [
    {"phase": "coverage", "operation": "GET /v1/me", "status": "200", "requests": 3, "findings": 0},
    {"phase": "coverage", "operation": "GET /v1/zones", "status": "500", "requests": 2, "findings": 2},
]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    (tmp_path / "owner").mkdir()
    world = World(Cloud(Stack(tmp_path), {}), {"owner": "secret"}, {}, {}, {})
    return Run(world, "owner", argparse.Namespace(phases=PHASES), 0)


def test_a_phase_that_was_cut_off_or_not_reached_is_not_complete(run: Run) -> None:
    statuses = {"examples": "success", "coverage": "failure", "fuzzing": "interrupted", "stateful": "skip"}
    report = {"phases": {name: {"status": status} for name, status in statuses.items()}}
    (run.folder / "report.json").write_text(json.dumps(report))
    (run.folder / "tally.json").write_text(json.dumps(TALLY))
    assert {name: phase["is_complete"] for name, phase in run.phases.items()} == {
        "examples": True,
        "coverage": True,
        "fuzzing": False,
        "stateful": False,
    }
    coverage = run.phases["coverage"]
    assert (coverage["requests"], coverage["operations"], coverage["answered"], coverage["findings"]) == (5, 2, 1, 2)


@pytest.mark.parametrize("text", [None, ""])
def test_missing_report_means_no_complete_phase(run: Run, text: str | None) -> None:
    if text is not None:
        (run.folder / "report.json").write_text(text)
    assert not any(phase["is_complete"] for phase in run.phases.values())
    assert {phase["status"] for phase in run.phases.values()} == {"not reached"}
