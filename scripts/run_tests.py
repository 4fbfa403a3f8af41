"""Run pytest with these arguments; tests that failed run once more, alone: `python -m scripts.run_tests ARGUMENT …`.

When all of them pass then, the run is green, says FLAKY and names them, and keeps what they said at first in
var/flaky.json. The run is red when more than three failed, when one fails again, and when pytest itself did not come to
a good end: an error of collection, a process that died, no tests at all.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FLAKY = ROOT / "var" / "flaky.json"
FLAKY_AT_MOST = 3
OK, FAILED = 0, 1  # exit statuses of pytest


@dataclass(frozen=True)
class Run:
    """Outcome of a run.

    `status`: pytest's. `failed`: the output of each failed test, by its id. `count`: of --count.
    """

    status: int
    passed: int
    failed: dict[str, str]
    is_broken: bool
    count: int

    @property
    def may_be_flaky(self) -> bool:
        return self.status == FAILED and not self.is_broken and 0 < len(self.failed) <= FLAKY_AT_MOST


def main(arguments: Sequence[str], *, flaky_file: Path = FLAKY) -> int:
    flaky_file.unlink(missing_ok=True)
    first = run(arguments)
    if not first.may_be_flaky:
        return first.status
    print(f"\n{len(first.failed)} failed and run once more, alone.", flush=True)
    second = run([*first.failed, *(["--count", str(first.count)] if first.count > 1 else [])])
    if second.status != OK or second.passed != len(first.failed):
        return FAILED
    flaky_file.parent.mkdir(exist_ok=True)
    flaky_file.write_text(json.dumps(first.failed, indent=2))
    print("\nFLAKY: failed at first, passed alone")
    for name in first.failed:
        print(f"  {name}")
    print(f"  Their output is in {flaky_file}.\n\n{first.passed + second.passed} passed, 0 failed", flush=True)
    return OK


def run(arguments: Sequence[str]) -> Run:
    """Run pytest once, with its output shown."""
    with tempfile.TemporaryDirectory(prefix="p") as folder:
        file = Path(folder) / "outcome.json"
        # Sockets have room for some hundred letters, of which pytest's own folder takes many.
        own = ["--outcome", str(file), f"--basetemp={folder}/p"]
        command = [sys.executable, "-m", "pytest", "-p", "scripts.pytest_outcome", *own, *arguments]
        status = subprocess.run(command, check=False).returncode
        outcome: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    return Run(
        status,
        outcome.get("passed", 0),
        outcome.get("failed", {}),
        outcome.get("is_broken", True),
        outcome.get("count", 1),
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
