"""`make mutate`: change the pure policy code in every small way, and check that a test fails.

mutmut works on a copy in a temporary folder, with the fast tests alone. A mutant that passes all tests has to be listed
in docs/explanation/mutation.md with the reason why it changes no verdict; any other one fails the check.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CORE = Path("andromede_core")
LISTED = ROOT / "docs/explanation/mutation.md"
MODULES = (
    "policy/evaluation",
    "policy/clauses",
    "policy/document",
    "policy/order",
    "facts/certificates",
    "facts/world",
    "permits/permit",
    "permits/cosignature",
)
TESTS = (
    "test_evaluate.py",
    "test_certificates.py",
    "test_scenarios.py",
    "test_policy_document.py",
    "test_compare.py",
    "test_permit_checks.py",
    "test_permit_reasons.py",
    "test_permit_addresses.py",
    "test_cosignature.py",
    "test_policy_properties.py",
)
COPIED = (
    "controlplane/catalog/fixtures/catalogue.json",
    "tests/unit/placement",
)
NOTICED = ("killed", "caught by type check", "timeout")  # a mutant that runs for ever is noticed too
EXAMPLES = 15  # of Hypothesis, per property and mutant

PROJECT = f"""
[tool.mutmut]
source_paths = ["andromede_core"]
only_mutate = {[f"{CORE}/{module}.py" for module in MODULES]}
also_copy = ["andromede_core", "controlplane"]
pytest_add_cli_args = ["-p", "no:django", "-p", "no:cacheprovider", "-p", "no:xdist"]
pytest_add_cli_args_test_selection = {[f"tests/unit/placement/{test}" for test in TESTS]}
do_not_mutate_patterns = ["^ +assert "]
use_git_change_detection = false

[tool.pytest.ini_options]
addopts = "--import-mode=importlib"
pythonpath = ["."]
"""

CONFTEST = f"""
from hypothesis import HealthCheck, Phase, settings

settings.register_profile(
    "mutants",
    max_examples={EXAMPLES},
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],  # one failure is enough: none is made smaller
)
settings.load_profile("mutants")
"""


@dataclass(frozen=True)
class Mutant:
    """A function and its changed lines, which identify a mutant while its number changes."""

    name: str
    verdict: str
    function: str
    removed: str
    added: str


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=Path, help="working folder, kept afterwards")
    options = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        copy_project(folder)
        mutmut(folder, "run", "--max-children", "2")
        verdicts = dict(read_verdicts(mutmut(folder, "results", "--all", "true")))
        survivors = [describe(folder, name, verdict) for name, verdict in verdicts.items() if verdict not in NOTICED]
    return report(Counter(verdicts.values()), survivors, time.monotonic() - started)


def copy_project(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for name in (str(CORE), *COPIED):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, dirs_exist_ok=True)
        else:
            shutil.copy(ROOT / name, folder / name)
    (folder / "tests/unit/placement/conftest.py").write_text(CONFTEST)
    (folder / "pyproject.toml").write_text(PROJECT)


def mutmut(folder: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "mutmut", *arguments]
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-4000:]}")
    return done.stdout


def read_verdicts(results: str) -> Iterator[tuple[str, str]]:
    for line in results.splitlines():
        name, _, verdict = line.strip().partition(": ")
        if "__mutmut_" in name:
            yield name, verdict


def describe(folder: Path, name: str, verdict: str) -> Mutant:
    lines = mutmut(folder, "show", name).splitlines()
    removed, added = (_lines(lines, sign) for sign in "-+")
    function = re.sub(r"__mutmut_[0-9]+$", "", name).rpartition(".")
    module = function[0].rpartition(".")[2]
    return Mutant(name, verdict, f"{module}.{function[2].removeprefix('x')}", removed, added)


def _lines(diff: list[str], sign: str) -> str:
    return " ".join(line[1:].strip() for line in diff if line.startswith(sign) and not line.startswith(sign * 3))


def report(verdicts: Counter[str], survivors: list[Mutant], seconds: float) -> int:
    listed = LISTED.read_text() if LISTED.exists() else ""
    unlisted = [each for each in survivors if f"`{each.added}`" not in listed]
    print(f"{sum(verdicts.values())} mutants in {seconds:.0f} s: {dict(verdicts)}")
    for each in survivors:
        mark = "NOT LISTED" if each in unlisted else "listed"
        print(f"\n{mark}: {each.name} ({each.verdict})\n  - {each.removed}\n  + {each.added}")
    return 1 if unlisted else 0


if __name__ == "__main__":
    sys.exit(main())
