"""`make fuzz`: Schemathesis, by the OpenAPI document, against a control plane of its own with fake nodes.

All phases run to their end, as each kind of caller at once. Requests and findings are printed as JSON, by caller and
phase; the exit status is 1 if there is any finding, or if a phase did not end properly.
"""

import argparse
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from bench.common import print_progress
from scripts.control_plane import BIN, ROOT
from scripts.fuzz_hooks import DOOMED, PLACES, RULED, TALLY
from scripts.fuzz_world import World, fuzz_world

REFERENCE = ROOT / "docs" / "reference" / "openapi.json"
CONFIGURATION = ROOT / "scripts" / "fuzz.toml"
EXAMPLES = 4
CHAINS = 100
PHASES = "examples,coverage,fuzzing,stateful"
ENDED = ("success", "failure")  # what Schemathesis calls a phase that came to its end
LINKS = re.compile(r"API Links: +(\d+) covered / (\d+) selected")
WORKERS = 1  # threads of more trip over a fault of Python 3.11 in ast.parse
REPORT_LIMIT_S = 60


def main() -> int:
    arguments = _arguments()
    with fuzz_world() as world:
        verdict = fuzz(world, arguments)
    print(json.dumps(verdict, indent=2))
    return 0 if verdict["is_complete"] and not verdict["findings"] else 1


def fuzz(world: World, arguments: argparse.Namespace) -> dict[str, Any]:
    """Run all callers at once until each has done all phases or the time is over; returns the document to print."""
    begun = time.time()
    runs = [Run(world, caller, arguments, begun + arguments.seconds) for caller in world.callers]
    with ThreadPoolExecutor(len(runs)) as pool:
        list(pool.map(Run.execute, runs))
    statuses = sum((run.statuses for run in runs), Counter[str]())
    reached = {each["operation"] for run in runs for each in run.tally}
    return {
        "is_complete": all(phase["is_complete"] for run in runs for phase in run.phases.values()),
        "seed": arguments.seed,
        "seconds": round(time.time() - begun),
        "requests": statuses.total(),
        "statuses": dict(sorted(statuses.items())),
        "operations": len(reached),
        "never_granted": sorted(reached.difference(*(run.granted for run in runs))),
        "callers": {run.caller: {"seconds": run.seconds, "phases": run.phases} for run in runs},
        "findings": [finding for run in runs for finding in run.findings],
    }


@dataclass(frozen=True)
class Run:
    """Run all phases once, as one caller. `until`: the time limit, in seconds since the epoch."""

    world: World
    caller: str
    arguments: argparse.Namespace
    until: float

    @property
    def folder(self) -> Path:
        return self.world.cloud.stack.var / self.caller

    @cached_property
    def tally(self) -> list[dict[str, Any]]:
        """Return the requests by phase, operation and status (fuzz_hooks.py)."""
        return list(_read(self.folder / "tally.json", []))

    @cached_property
    def report(self) -> dict[str, Any]:
        """Return the final report of Schemathesis; empty if there was none."""
        return dict(_read(self.folder / "report.json", {}))

    @property
    def seconds(self) -> int:
        return round(self.report.get("running_time") or 0)

    @property
    def statuses(self) -> Counter[str]:
        statuses: Counter[str] = Counter()
        for each in self.tally:
            statuses[each["status"]] += each["requests"]
        return statuses

    @property
    def granted(self) -> set[str]:
        """Return the operations that succeeded at least once."""
        return _granted(self.tally)

    @property
    def phases(self) -> dict[str, dict[str, Any]]:
        """Return figures of each phase.

        `operations`: the requested ones; `answered`: those with a success (2xx). `links`: the number of used links from
        answers to requests, and the number of all links.
        """
        phases = {name: self._phase(name) for name in self.arguments.phases.split(",")}
        log = self.folder / "log.txt"
        links = LINKS.search(log.read_text()) if log.exists() else None
        if links and "stateful" in phases:
            phases["stateful"]["links"] = {"covered": int(links[1]), "known": int(links[2])}
        return phases

    def _phase(self, name: str) -> dict[str, Any]:
        ended = (self.report.get("phases") or {}).get(name) or {"status": "not reached"}
        tally = [each for each in self.tally if each["phase"] == name]
        return {
            "is_complete": ended["status"] in ENDED,
            "status": ended["status"],
            "requests": sum(each["requests"] for each in tally),
            "operations": len({each["operation"] for each in tally}),
            "answered": len(_granted(tally)),
            "findings": sum(each["findings"] for each in tally),
        }

    @property
    def findings(self) -> list[dict[str, Any]]:
        faults = (*self.report.get("failures", ()), *self.report.get("errors", ()))
        return [{"caller": self.caller, **each} for each in faults]

    def execute(self) -> None:
        self.folder.mkdir()
        print_progress(f"as {self.caller}, seed {self.arguments.seed}: {self.folder}/log.txt")
        with (self.folder / "log.txt").open("w") as log:
            command, environment = self._command(), self._environment()
            process = subprocess.Popen(command, cwd=self.folder, env=environment, stdout=log, stderr=subprocess.STDOUT)
            _end_by(process, self.until)

    def _command(self) -> list[str]:
        command = [str(BIN / "schemathesis"), "--config-file", str(self._configuration()), "run", str(REFERENCE)]
        command += ["--url", self.world.cloud.stack.url, "--workers", str(WORKERS), "--seed", str(self.arguments.seed)]
        command += ["--report-json-path", str(self.folder / "report.json"), "--no-color"]
        command += ["--phases", self.arguments.phases]
        if self.arguments.only:
            command += ["--include-operation-id-regex", self.arguments.only]
        return command

    def _configuration(self) -> Path:
        """Return the common configuration, with the amount of work of each phase."""
        path = self.folder / "schemathesis.toml"
        much = {"fuzzing": self.arguments.examples, "stateful": self.arguments.chains}
        parts = [f"[phases.{phase}.generation]\nmax-examples = {count}\n" for phase, count in much.items()]
        path.write_text("\n".join([CONFIGURATION.read_text(), *parts]))
        return path

    def _environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "ANDROMEDE_FUZZ_TOKEN": self.world.callers[self.caller],
            TALLY: str(self.folder / "tally.json"),
            PLACES: json.dumps(self.world.places),
            RULED: json.dumps(self.world.ruled),
            DOOMED: json.dumps(self.world.doomed),
        }


def _granted(tally: list[dict[str, Any]]) -> set[str]:
    return {each["operation"] for each in tally if each["status"].startswith("2")}


def _read(path: Path, default: Any) -> Any:
    """Read the result; the default if the process was killed before it wrote one."""
    text = path.read_text() if path.exists() else ""
    return json.loads(text) if text else default


def _end_by(process: subprocess.Popen[bytes], until: float) -> None:
    """Wait for the process; at `until` it is asked to stop and report."""
    try:
        process.wait(max(until - time.time(), 0))
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
    try:
        process.wait(REPORT_LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=EXAMPLES, help=f"fuzzing examples per operation ({EXAMPLES})")
    parser.add_argument("--chains", type=int, default=CHAINS, help=f"request chains in the stateful phase ({CHAINS})")
    parser.add_argument("--seconds", type=int, default=3600, help="time limit in seconds (3600)")
    parser.add_argument(
        "--seed", type=int, default=secrets.randbelow(2**31), help="seed; the same seed gives the same requests"
    )
    parser.add_argument("--phases", default=PHASES, help=f"phases to run, some of {PHASES}")
    parser.add_argument("--only", default="", help="regular expression of the operation ids to test")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
