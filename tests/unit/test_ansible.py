"""The playbook knows all processes that there are, and its inventories are complete."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from scripts.stack import BIN, ROOT, Stack

PLAYBOOK = ROOT / "ansible"
ROLES = {path.name for path in (PLAYBOOK / "roles").iterdir()}
SHARED = {"release", "database", "redis", "authority", "front", "process", "node"}


def roles_of(play: int) -> list[str]:
    found: list[str] = yaml.safe_load((PLAYBOOK / "site.yml").read_text())[play]["roles"]
    return found


def test_there_is_a_role_for_each_process_and_no_other() -> None:
    assert set(Stack(Path("nowhere")).commands()) == ROLES - SHARED


def test_the_control_plane_has_every_role_but_the_nodes() -> None:
    assert set(roles_of(0)) == ROLES - {"process", "node"}
    assert roles_of(1) == ["release", "node"]


def test_no_role_needs_more_than_ansible_itself() -> None:
    """Collections would have to be brought to where there is no network."""
    modules = set()
    for file in PLAYBOOK.glob("roles/*/*/*.yml"):
        modules |= set(re.findall(r"^\s+([a-z_]+\.[a-z_]+\.[a-z_]+):", file.read_text(), re.MULTILINE))
    assert modules, "they are written by their full names"
    assert {name.rpartition(".")[0] for name in modules} == {"ansible.builtin"}


@pytest.mark.parametrize("inventory", ["lab", "production"])
def test_the_playbook_can_be_read_with_each_inventory(inventory: str) -> None:
    command = [str(BIN / "ansible-playbook"), "--inventory", f"inventories/{inventory}", "--syntax-check", "site.yml"]
    ran = subprocess.run(command, cwd=PLAYBOOK, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
