"""A call of the command, and a program with the SDK, load what they use and leave the rest."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import andromede_cli
from andromede_cli.command_registry import PARTS, load
from andromede_sdk import Client, models, resources
from scripts.control_plane import ROOT

PACKAGES = (ROOT / "clients/sdk", ROOT / "clients/cli")
HEAVY = {"httpx", "rich", "ssl", "yaml"}


def loaded(code: str) -> set[str]:
    """The modules of a new Python after the code."""
    begin = f"import sys; sys.path[:0] = {[str(each) for each in PACKAGES]}\n"
    end = "\nimport json; print('\\n' + json.dumps(list(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", begin + code + end], capture_output=True, text=True, check=True)
    return set(json.loads(result.stdout.splitlines()[-1]))


def within(found: set[str], package: str) -> set[str]:
    return {name.removeprefix(f"{package}.") for name in found if name.startswith(f"{package}.")}


def test_a_command_loads_its_own_module() -> None:
    modules = loaded("from andromede_cli.app import run; run(['volume', 'list', '--help'])")
    assert within(modules, "andromede_cli.commands") == {"storage"}
    assert within(modules, "andromede_sdk.resources") == {"volumes"}
    assert within(modules, "andromede_sdk.models") == set()
    assert modules & HEAVY == set()


def test_the_version_loads_no_command() -> None:
    modules = loaded("from andromede_cli.app import run; run(['--version'])")
    assert within(modules, "andromede_cli.commands") == set()
    assert modules & HEAVY == set()


def test_each_part_has_its_listed_commands() -> None:
    assert {part: set(load(part)) for part in PARTS} == {part: set(names) for part, names in PARTS.items()}
    folder = Path(andromede_cli.__file__).parent / "commands"
    parts_of_parts = {
        *("drains", "fencing", "instance_identity", "instance_snapshot", "metrics", "quarantine", "recoveries"),
    }
    helpers = {"__init__", "console", "console_log", "ssh", "tunnel", *parts_of_parts}
    assert {path.stem for path in folder.glob("*.py")} - PARTS.keys() == helpers


def test_manager_and_its_models_load_on_first_use() -> None:
    modules = loaded("from andromede_sdk import Client; Client('http://127.0.0.1:1').networks.list()")
    assert within(modules, "andromede_sdk.resources") == {"networks"}
    assert within(modules, "andromede_sdk.models") == {"networks"}


def test_a_client_has_each_manager_once_and_no_other() -> None:
    with Client("http://127.0.0.1:1") as client:
        assert client.networks is client.networks
        assert isinstance(client.networks, resources.Networks)
        assert {"networks", "volumes", "close"} <= set(dir(client))
        with pytest.raises(AttributeError, match="'Client' object has no attribute 'netwroks'"):
            _ = client.netwroks  # type: ignore[attr-defined]
        assert isinstance(client.within("other").volumes, resources.Volumes)


def test_all_models_and_managers_are_found_by_name() -> None:
    assert all(getattr(models, name).__name__ == name for name in dir(models))
    assert all(getattr(resources, name).__name__ == name for name in resources.PLACES)


def test_models_reference_other_modules() -> None:
    """One of them has the name of a class of the SDK's own, and null there is not an empty list."""
    with Client("http://127.0.0.1:1") as client:
        document = {"scope": {"verbs": ["read"], "kinds": None}, "memberships": [], "user": {"email": "a@b.example"}}
        me = models.Me.read(document, client.scope)
    assert isinstance(me.scope, models.Scope)
    assert (me.scope.verbs, me.scope.kinds) == (["read"], None)
    assert isinstance(me.user, models.User)
