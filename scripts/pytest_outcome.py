"""Plugin of pytest: write the outcome of a run to the file that --outcome names, for scripts/run_tests.py."""

import json
from pathlib import Path

import pytest

CRASHED = "crashed while running"  # xdist, of a process that died in a test


class Outcome:
    """Outcome of one session, in the process that prints its summary."""

    def __init__(self, file: Path, count: int) -> None:
        self.file, self.count = file, count
        self.passed: set[str] = set()
        self.failed: dict[str, str] = {}
        self.is_broken = False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            text = report.longreprtext
            self.failed.setdefault(report.nodeid, text)
            self.is_broken = self.is_broken or CRASHED in text
        elif report.when == "call" and report.passed:
            self.passed.add(report.nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self.is_broken = self.is_broken or report.failed

    def pytest_sessionfinish(self) -> None:
        outcome = {
            "passed": len(self.passed - self.failed.keys()),
            "failed": self.failed,
            "is_broken": self.is_broken,
            "count": self.count,
        }
        self.file.write_text(json.dumps(outcome))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--outcome", type=Path, help="path of the test outcomes to write, JSON")


def pytest_configure(config: pytest.Config) -> None:
    file = config.getoption("--outcome")
    if file is not None and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Outcome(file, config.getoption("--count", 1)))
