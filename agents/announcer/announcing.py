"""The newest announcements: kept on disk, and given to BIRD."""

import logging
import os
import threading
from dataclasses import dataclass
from pathlib import Path

from agents.announcer.bird_config import render
from agents.announcer.bird_control import Bird, BirdRefused, BirdSilent, BirdState
from agents.node.services.zone_documents import keep_newer
from agents.node.specs import StoredDocument
from agents.node.state_store import Table
from agents.node.trust.store import TrustStore
from andromede_core.documents import signed
from andromede_core.documents.parsing import Malformed
from andromede_core.permits import announcements as core
from andromede_core.permits.announcements import Announcements

log = logging.getLogger(__name__)

SILENT, REFUSED, DIFFERS = "bird-silent", "bird-refused", "bird-differs"
NOT_RUNNING = BirdState(version=0, routes=0, sessions=0, established=0)


@dataclass(frozen=True, slots=True)
class Status:
    """`version`: of the newest document; 0: none. `problem`: why BIRD does not announce just that; empty: it does."""

    version: int
    bird: BirdState
    problem: str


class Announcing:
    """Keeps the newest document, and BIRD's file of routes as it says. Safe for use by many threads."""

    def __init__(
        self, *, zone: str, trust: TrustStore, documents: Table[StoredDocument], bird: Bird, routes_file: Path
    ) -> None:
        self._zone = zone
        self._trust = trust
        self._documents = documents
        self._bird = bird
        self._file = routes_file
        self._lock = threading.Lock()

    def ensure(self, document: bytes) -> Status:
        """Announce what the document says, unless the stored one is as new.

        Raises:
            TrustRefused: it is not genuine, or not for this zone.
        """
        self._trust.announcements(document)
        with self._lock:
            keep_newer(self._trust, self._documents, self._zone, kind=core.KIND, document=document)
            return self._apply()

    def status(self) -> Status:
        """Return the state, after BIRD was given the routes that it does not have."""
        with self._lock:
            return self._apply()

    def _apply(self) -> Status:
        entry = self._documents.get(self._zone)
        try:
            announcements = _read(entry.spec.document) if entry is not None else None
        except Malformed as exc:
            return self._unreadable(exc)
        version = announcements.version if announcements is not None else 0
        is_changed = self._write(render(announcements))
        try:
            state = self._bird.state()
            if is_changed or state.version != version:
                self._bird.configure()
                state = self._bird.state()
        except BirdSilent as exc:
            log.error("BIRD does not answer", extra={"facts": {"problem": str(exc)}})
            return Status(version, NOT_RUNNING, SILENT)
        except BirdRefused:
            log.error("BIRD does not accept its configuration; bird -p names the line")
            return Status(version, state, REFUSED)
        return Status(version, state, DIFFERS if _differs(state, announcements) else "")

    def _unreadable(self, exc: Malformed) -> Status:
        """Leave BIRD with what a newer announcer had stored, and report no version, so that a newer document comes."""
        log.error("stored announcements cannot be read", extra={"facts": {"problem": str(exc)}})
        try:
            return Status(0, self._bird.state(), "")
        except BirdSilent:
            return Status(0, NOT_RUNNING, SILENT)

    def _write(self, text: str) -> bool:
        """Write the file of routes unless it has this text; BIRD reads it whole, or the one before."""
        if self._file.is_file() and self._file.read_text() == text:
            return False
        new = self._file.with_suffix(".new")
        with new.open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        new.chmod(0o644)
        new.replace(self._file)
        return True


def _differs(state: BirdState, announcements: Announcements | None) -> bool:
    expected = (announcements.version, len(announcements.routes)) if announcements is not None else (0, 0)
    return (state.version, state.routes) != expected


def _read(document: bytes) -> Announcements:
    return core.parse(signed.read(document).payload)
