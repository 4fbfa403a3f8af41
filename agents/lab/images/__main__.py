"""Build a guest image: python -m agents.lab.images build tiny --out var/images/tiny.qcow2"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from agents.lab.images import BUILDERS, build
from agents.lab.shell import LabError, print_status


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m agents.lab.images", description=__doc__)
    command = parser.add_subparsers(required=True).add_parser("build", help="build the image unless it is up to date")
    command.add_argument("name", choices=sorted(BUILDERS))
    command.add_argument("--out", type=Path, required=True, help="path of the qcow2 file to write")
    arguments = parser.parse_args()
    try:
        build(arguments.name, arguments.out)
    except LabError as exc:
        print_status(f"images: {exc}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
