"""The clients can be installed alone: without Django, without libvirt, without the rest of this project."""

import subprocess
import sys
import zipfile
from pathlib import Path

STRANGERS = ["django", "libvirt", "grpc", "celery", "andromede_core", "controlplane", "agents"]


def test_clients_import_without_other_packages(commands: Path) -> None:
    code = (
        "import sys, importlib.util, pkgutil, andromede_sdk, andromede_cli\n"
        "for package in (andromede_sdk, andromede_cli):\n"
        "    for each in pkgutil.walk_packages(package.__path__, f'{package.__name__}.'):\n"
        "        if not each.name.endswith('__main__'): importlib.import_module(each.name)\n"
        f"strangers = {STRANGERS}\n"
        "assert not [name for name in strangers if importlib.util.find_spec(name)]\n"
        "assert not [name for name in sys.modules if name.split('.')[0] in strangers]\n"
        "print(andromede_sdk.__file__)\n"
    )
    line = [str(commands / "python"), "-I", "-c", code]
    result = subprocess.run(line, capture_output=True, text=True, check=True)
    assert str(commands.parent) in result.stdout


def test_dependencies_are_installed_in_allowed_versions(commands: Path) -> None:
    line = [sys.executable, "-m", "pip", "--python", str(commands / "python"), "check"]
    result = subprocess.run(line, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


def test_the_command_runs(commands: Path) -> None:
    result = subprocess.run([commands / "andromede", "--version"], capture_output=True, text=True, check=True)
    assert result.stdout == "andromede 0.1.0\n"


def test_the_wheels_have_types_and_translations(commands: Path) -> None:
    names = [
        name for wheel in (commands.parents[1] / "wheels").glob("*.whl") for name in zipfile.ZipFile(wheel).namelist()
    ]
    assert "andromede_sdk/py.typed" in names
    assert "andromede_cli/locale/fr/LC_MESSAGES/andromede.mo" in names
    assert not [name for name in names if name.endswith((".po", ".pyc")) or name.startswith("tests")]
