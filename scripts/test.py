"""`make test`: all tests. What needs neither root nor long runs several at a time; real guests, clouds and clients then
have the machine for themselves. Arguments go to both runs."""

import subprocess
import sys
from pathlib import Path

PYTEST = str(Path(sys.executable).parent / "pytest")
AT_A_TIME = "3"
NOTHING_TO_RUN = 5
RUNS = {
    "several at a time": ["-n", AT_A_TIME, "-m", "not lab and not slow"],
    "one after the other": ["-m", "lab or slow"],
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
