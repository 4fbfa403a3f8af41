"""Install the clients as users do: built as wheels, with their requirements and nothing else.

Tests have no network, so the requirements are copied from the environment of the tests: just the distributions that
their metadata names, with theirs.
"""

import importlib.metadata
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement

from scripts.control_plane import ROOT

CLIENTS = ("sdk", "cli")


def build(folder: Path) -> list[Path]:
    """Build wheels from copies of the sources: building leaves files behind."""
    wheels = folder / "wheels"
    for name in CLIENTS:
        source = folder / name
        shutil.copytree(ROOT / "clients" / name, source, ignore=shutil.ignore_patterns("__pycache__", "*.mo", "build"))
        line = ["wheel", "--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", str(wheels)]
        subprocess.run([sys.executable, "-m", "pip", *line, str(source)], check=True)
    return sorted(wheels.glob("*.whl"))


def install(folder: Path) -> Path:
    """Return the commands' folder of a new environment that has the clients."""
    wheels = build(folder)
    environment = folder / "environment"
    venv.create(environment, with_pip=False)
    line = ["install", "--quiet", "--no-deps", "--no-index", *map(str, wheels)]
    subprocess.run([sys.executable, "-m", "pip", "--python", str(environment), *line], check=True)
    packages = next(environment.glob("lib/python*/site-packages"))
    found = importlib.metadata.distributions(path=[str(packages)])
    asked = [text for each in found for text in each.requires or []]
    for distribution in closure([text for text in asked if not text.startswith("andromede-")]):
        copy(distribution, packages)
    return environment / "bin"


def closure(asked: list[str]) -> Iterator[importlib.metadata.Distribution]:
    waiting, seen = [Requirement(text) for text in asked], set()
    while waiting:
        wanted = waiting.pop()
        if wanted.name.lower() in seen or (wanted.marker is not None and not wanted.marker.evaluate({"extra": ""})):
            continue
        seen.add(wanted.name.lower())
        distribution = importlib.metadata.distribution(wanted.name)
        waiting += [Requirement(text) for text in distribution.requires or []]
        yield distribution


def copy(distribution: importlib.metadata.Distribution, packages: Path) -> None:
    for file in distribution.files or []:
        if ".." not in file.parts and "__pycache__" not in file.parts:
            target = packages / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(str(file.locate()), target)
