"""Make a pool of a shared file system: python -m agents.node.make_pool PATH, once, on any of its nodes."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from agents.node.adapters import pools


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="agents.node.make_pool", description=__doc__)
    parser.add_argument("path", type=Path, help="mount point of the pool, the same on all nodes that share the pool")
    path: Path = parser.parse_args(arguments).path.absolute()
    if not path.is_mount():
        sys.exit(f"{path} is no mount point. Mount the shared file system there first.")
    sys.stdout.write(f"{pools.make(path)}\n")


if __name__ == "__main__":
    main()
