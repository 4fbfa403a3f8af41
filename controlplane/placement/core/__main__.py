"""Recompute which zones policies admit: python -m controlplane.placement.core evaluate REQUEST.json

Needs only the standard library. The request and the answer are documented in docs/reference/evaluate.md. Exit status: 0
when evaluated, 2 for a request that does not parse or type-check, with one line on standard error.
"""

import argparse
import json
import sys
from pathlib import Path

from .evaluation_request import answer, parse
from .policy import PolicyError
from .reading import Malformed, refuse


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m controlplane.placement.core", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    evaluate = commands.add_parser("evaluate", help="which zones would these policies admit, and why not the others?")
    evaluate.add_argument("request", help="a JSON file, or - for standard input")
    options = parser.parse_args()
    try:
        document, folder = _read(options.request)
        result = answer(parse(document, folder=folder))
    except (Malformed, PolicyError) as exc:
        sys.stderr.write(" ".join(str(exc).split()) + "\n")
        return 2
    sys.stdout.write(json.dumps(result, ensure_ascii=False, indent=2) + "\n")
    return 0


def _read(name: str) -> tuple[object, Path]:
    """The request, and the folder that its file names are relative to."""
    try:
        text = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        return json.loads(text, object_pairs_hook=_once), Path() if name == "-" else Path(name).parent
    except (OSError, ValueError, RecursionError) as exc:
        refuse("request", f"cannot be read: {exc}")


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return found


if __name__ == "__main__":
    sys.exit(main())
