"""docs/explanation/architecture.md agrees with the code. Its table of jobs: tests/services/kernel/test_periodic.py."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from scripts.control_plane import ROOT

TEXT = (ROOT / "docs" / "explanation" / "architecture.md").read_text()


def section(title: str) -> str:
    return TEXT.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def test_layers_agree_with_import_linter() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (layers,) = (each["layers"] for each in contracts if each.get("containers") == ["controlplane"])
    drawn = section("Layers").partition("```\n")[2].partition("```")[0]
    assert [re.split(r"\s{2,}", line)[0] for line in drawn.splitlines()] == layers


def test_the_path_of_a_request_is_at_most_five_files() -> None:
    links = re.findall(r"^\d\. \[`[^`]+`\]\(\.\./\.\./([^)]+)\)", section("The path of a request"), re.MULTILINE)
    assert 0 < len(links) <= 5
    assert all((ROOT / link).is_file() for link in links)


def test_modules_of_the_process_table_exist() -> None:
    modules = set(
        re.findall(r"(?:python:)?((?:controlplane|agents)(?:\.\w+)+)", section("Processes").partition("\nBesides")[0])
    )
    assert modules
    places = [ROOT / each.replace(".", "/") for each in modules if each != "controlplane.config"]
    assert all(each.with_suffix(".py").is_file() or (each / "__main__.py").is_file() for each in places)


def test_an_agent_runs_without_the_sources_of_the_control_plane(tmp_path: Path) -> None:
    for package in ("agents", "andromede_core", "telemetry"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "agents.node.main", "--help"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
