"""Sockets of QEMU for a migration, and those that AppArmor's rule lets a guest reach."""

import socket
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

import pytest
import yaml

from agents.node.adapters.migration_tunnel.sockets import MigrationSockets

ONE, OTHER = UUID(int=1), UUID(int=2)
TOKEN, NEXT = "0123456789abcdef", "fedcba9876543210"
TASKS = Path(__file__).parents[2] / "ansible/roles/node/tasks/hypervisor.yml"


def rule_of(guest_id: UUID, state: Path) -> str:
    """The pattern of AppArmor's rule, in the profile that libvirt makes for the guest."""
    tasks = [task.get("ansible.builtin.lineinfile", {}) for task in yaml.safe_load(TASKS.read_text())]
    (line,) = (task["line"] for task in tasks if task.get("path", "").endswith("abstractions/libvirt-qemu"))
    path, rights = line.replace("{{ node_state }}", str(state)).split(" ")
    assert rights == "rw,"
    return str(path.replace("@{profile_name}", f"libvirt-{guest_id}").replace("{memory,disks}", "memory"))


@pytest.fixture
def state() -> Iterator[Path]:
    """Return a folder with a path that is short enough for sockets in it, as the agent's."""
    with TemporaryDirectory() as folder:
        yield Path(folder)


def test_apparmor_rule_covers_only_the_sockets_of_its_guest(state: Path) -> None:
    folder = MigrationSockets(state / "moves").make(ONE, TOKEN)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "memory"))
    path = str((folder / "memory").resolve(strict=True))
    assert fnmatchcase(path, rule_of(ONE, state))
    assert not fnmatchcase(path, rule_of(OTHER, state))


def test_folder_is_removed_with_its_migration_only(tmp_path: Path) -> None:
    root = tmp_path / "moves"
    sockets = MigrationSockets(root)
    first = sockets.make(ONE, TOKEN)
    assert sockets.make(ONE, TOKEN) == first == root / TOKEN
    (sockets.make(ONE, NEXT) / "memory").touch()
    for _ in range(2):
        sockets.remove(ONE, TOKEN)
    assert (root / NEXT / "memory").exists()
    sockets.remove(ONE, NEXT)
    assert list(root.iterdir()) == []


def test_sockets_of_an_earlier_agent_are_removed(tmp_path: Path) -> None:
    MigrationSockets(tmp_path / "moves").make(ONE, TOKEN)
    MigrationSockets(tmp_path / "moves")
    assert list((tmp_path / "moves").iterdir()) == []
