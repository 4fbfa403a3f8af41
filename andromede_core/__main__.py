"""Recompute which zones policies admit: python -m andromede_core evaluate REQUEST.json

Needs only the standard library. The request and the answer are documented in docs/reference/evaluate.md. Exit status: 0
when evaluated, 2 for a request that does not parse or type-check or an answer that cannot be written, with one line on
standard error.
"""

import argparse
import json
import os
import sys
from pathlib import Path

from andromede_core.documents.messages import Message
from andromede_core.documents.parsing import Malformed, refuse
from andromede_core.policy.evaluation_request import answer, parse, read

LINE = 500  # characters of a reason that are shown


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m andromede_core", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    evaluate = commands.add_parser(
        "evaluate", help="print the zones that the policies admit, and the reasons against the others"
    )
    evaluate.add_argument("request", help="path of the request, JSON; - for standard input")
    options = parser.parse_args()
    try:
        document, folder = _read(options.request)
        result = answer(parse(document, folder=folder))
        _write(json.dumps(result, ensure_ascii=False, indent=2).encode() + b"\n")
    except Malformed as exc:
        sys.stderr.write(_line(str(exc)) + "\n")
        return 2
    return 0


def _write(text: bytes) -> None:
    """Write to a duplicate descriptor: the interpreter would retry a failed write when it exits."""
    if sys.stdout is None:
        refuse("answer", Message("cannot be written: standard output is closed"))
    try:
        with os.fdopen(os.dup(sys.stdout.fileno()), "wb") as file:
            file.write(text)
    except OSError as exc:
        refuse("answer", Message("cannot be written: {error}", error=exc))


def _read(name: str) -> tuple[object, Path]:
    """Read the request and return it with the folder that its file names are relative to."""
    try:
        if name == "-":
            return read(sys.stdin.buffer), Path()
        with Path(name).open("rb") as file:
            return read(file), Path(name).parent
    except (OSError, ValueError) as exc:
        refuse("request", Message("cannot be read: {error}", error=exc))


def _line(text: str) -> str:
    """Return one printable line: the text may repeat what an untrusted caller wrote."""
    shown = "".join(each if each.isprintable() else " " for each in text[:LINE])
    return shown if len(text) <= LINE else shown + "…"


if __name__ == "__main__":
    sys.exit(main())
