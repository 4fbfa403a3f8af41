"""Limit files to 600 lines and functions to 50: long ones make a code base hard to read."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

FILE_MAX = 600
FUNCTION_MAX = 50


def main() -> int:
    listed = subprocess.run(["git", "ls-files", "*.py"], check=True, capture_output=True, text=True).stdout.split()
    files = [
        Path(name) for name in listed if "migrations" not in name and not name.endswith(("_pb2.py", "_pb2_grpc.py"))
    ]
    complaints = [complaint for file in files if file.exists() for complaint in complaints_of(file)]
    print("\n".join(complaints))
    return 1 if complaints else 0


def complaints_of(file: Path) -> Iterator[str]:
    text = file.read_text()
    if text.startswith("# Made from "):  # the API decides its number of calls, and of their members
        return
    if (lines := text.count("\n")) > FILE_MAX:
        yield f"{file}: {lines} lines; split it by what it does ({FILE_MAX} at most)"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_MAX:
                yield f"{file}:{node.lineno} {node.name}: {length} lines ({FUNCTION_MAX} at most)"


if __name__ == "__main__":
    sys.exit(main())
