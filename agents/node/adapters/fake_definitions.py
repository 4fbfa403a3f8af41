"""Definitions of a fake node's guests, on disk: a power cut ends guests, and keeps their definitions.

So a guest without definition has left, on a fake node as on a real one.
"""

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

from agents.node import codec
from agents.node.adapters.interfaces import GuestSpec


class Definitions:
    """Stores definitions. `folder`: one file for each; None: they end with the process."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        if folder is not None:
            folder.mkdir(exist_ok=True)

    def kept(self) -> Iterator[GuestSpec]:
        if self._folder is not None:
            for file in sorted(self._folder.glob("*.json")):
                yield codec.loads(GuestSpec, file.read_text())

    def keep(self, guest: GuestSpec) -> None:
        if self._folder is not None:
            new = self._folder / f"{guest.id}.new"
            new.write_text(codec.dumps(guest))
            new.replace(self._file(guest.id))

    def forget(self, guest_id: UUID) -> None:
        if self._folder is not None:
            self._file(guest_id).unlink(missing_ok=True)

    def _file(self, guest_id: UUID) -> Path:
        assert self._folder is not None
        return self._folder / f"{guest_id}.json"
