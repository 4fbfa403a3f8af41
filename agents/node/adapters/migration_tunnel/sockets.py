"""Folders for the sockets of migrations.

    moves/TOKEN -> libvirt-GUEST/TOKEN     libvirt-GUEST/TOKEN/{libvirt,memory,disks}

Both nodes know the short path, which fits into a socket's address. AppArmor sees the long one, and its rule lets each
guest reach the folder of its own profile alone, which libvirt calls libvirt-GUEST: see the playbook.
"""

import shutil
from contextlib import suppress
from pathlib import Path
from uuid import UUID


class MigrationSockets:
    """Folders below `root`, which is emptied first: its content is of migrations of an earlier agent."""

    def __init__(self, root: Path) -> None:
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir(parents=True)
        root.chmod(0o711)
        self._root = root

    def path(self, token: str) -> Path:
        """Return the path of a folder, as both nodes know it, whether it exists or not."""
        return self._root / token

    def make(self, guest_id: UUID, token: str) -> Path:
        """Make the folder, which every user who knows its name may enter. Repeating it changes nothing."""
        own = self._of(guest_id)
        for folder in (own, own / token):
            folder.mkdir(exist_ok=True)
            folder.chmod(0o711)
        path = self.path(token)
        with suppress(FileExistsError):
            path.symlink_to(f"{own.name}/{token}")
        return path

    def remove(self, guest_id: UUID, token: str) -> None:
        self.path(token).unlink(missing_ok=True)
        shutil.rmtree(self._of(guest_id) / token, ignore_errors=True)
        with suppress(OSError):
            self._of(guest_id).rmdir()  # unless there is another of its moves

    def _of(self, guest_id: UUID) -> Path:
        return self._root / f"libvirt-{guest_id}"
