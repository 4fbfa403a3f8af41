"""verify.py: one file, made of our modules as they are, that needs nothing but Python."""

import ast
import subprocess
import sys
from pathlib import Path

from controlplane.audit import build_verifier

PURE = "andromede_core."


def imports_of(source: str) -> set[str]:
    result: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            result |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            result.add((node.module or "").partition(".")[0])
    return result


def test_verifier_contains_the_pure_core_and_the_standard_library() -> None:
    names = build_verifier.modules()
    assert all(name.startswith(PURE) for name in names)
    assert names[-1] == build_verifier.MAIN
    imported = set().union(*(imports_of(build_verifier._text(name)) for name in names))
    assert imported - {"andromede_core"} <= sys.stdlib_module_names


def test_verifier_contains_every_module_unchanged() -> None:
    names: dict[str, str] = {}
    for node in ast.parse(build_verifier.source()).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
            key, value = node.targets[0].slice, node.value
            assert isinstance(key, ast.Constant)
            assert isinstance(value, ast.Constant)
            names[str(key.value)] = str(value.value)
    assert names == {name: build_verifier._text(name) for name in build_verifier.modules()}


def test_verifier_runs_alone(tmp_path: Path) -> None:
    (tmp_path / "verify.py").write_text(build_verifier.source())
    command = [sys.executable, "-I", "-S", "-W", "error", "verify.py", "nowhere.tar"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("nowhere.tar: ")


def test_the_same_sources_make_the_same_file() -> None:
    assert build_verifier.source() == build_verifier.source()
