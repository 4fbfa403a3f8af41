"""`make test`: all tests, in two runs. First what needs neither root nor long, several at a time; then real guests, one
test after the other, and beside them clients and Terraform (tests/conftest.py). Arguments go to both runs."""

import subprocess
import sys
from pathlib import Path

PYTEST = str(Path(sys.executable).parent / "pytest")
AT_A_TIME = "3"
NOTHING_TO_RUN = 5
RUNS = {
    "several at a time": ["-n", AT_A_TIME, "-m", "not lab and not slow"],
    "guests, and clients": ["-n", "2", "-m", "lab or slow"],
}


def main(arguments: list[str]) -> int:
    statuses = []
    for name, options in RUNS.items():
        print(f"test: {name}", flush=True)
        statuses.append(subprocess.run([PYTEST, *options, *arguments], check=False).returncode)
    if all(status == NOTHING_TO_RUN for status in statuses):
        return NOTHING_TO_RUN
    return max(0 if status == NOTHING_TO_RUN else status for status in statuses)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
