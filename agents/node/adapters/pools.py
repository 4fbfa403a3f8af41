"""Pools: storage that several nodes have mounted at once, and the detection of their mounts.

A pool has a marker with a UUID, so that neither an empty mount point nor another pool passes for it. A thread of its
own reads each one: a silent file server must not block the agent.
"""

import json
import logging
import os
import re
import shutil
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from agents.node.errors import AdapterError

log = logging.getLogger(__name__)

MARKER = "andromede-pool.json"
VOLUMES = "volumes"
NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")
POLL_INTERVAL_S, FORGET_AFTER_S, FIRST_LOOK_S = 10.0, 35.0, 5.0
GIB = 2**30


@dataclass(frozen=True, slots=True)
class PoolFacts:
    name: str
    uuid: UUID
    path: Path
    size_gib: int


class Pools:
    """The pools of this node, by name."""

    def __init__(self, paths: Mapping[str, Path] | None = None) -> None:
        """Create the pools.

        Raises:
            ValueError: a name or a path that no pool can have.
        """
        self._paths = dict(paths or {})
        for name, path in self._paths.items():
            if not NAME.fullmatch(name) or not path.is_absolute():
                raise ValueError(f"{name}={path} names no pool: a name in lower case and an absolute path do.")
        self._seen: dict[str, tuple[float, PoolFacts]] = {}
        self._problems: dict[str, str] = {}
        looked = {name: threading.Event() for name in self._paths}
        for name, event in looked.items():
            threading.Thread(target=self._watch, args=(name, event), name="pool", daemon=True).start()
        if not all(event.wait(FIRST_LOOK_S) for event in looked.values()):
            log.warning("pool check not finished")

    def current(self) -> tuple[PoolFacts, ...]:
        """Return the pools found at the last check, without waiting for their servers."""
        oldest = time.monotonic() - FORGET_AFTER_S
        return tuple(facts for _, (at, facts) in sorted(self._seen.items()) if at >= oldest)

    def folder(self, name: str) -> Path:
        """Return the folder of the pool's volumes, whether it is mounted now or not.

        Raises:
            AdapterError: this node does not have the pool.
        """
        path = self._paths.get(name)
        if path is None:
            raise AdapterError(f"This node has no pool {name!r}: its agent was not started with one.", retryable=False)
        return path / VOLUMES

    def mounted(self, name: str) -> Path:
        """Return the folder of the pool's volumes, if it is mounted now.

        Raises:
            AdapterError: this node does not have the pool, or not now.
        """
        folder = self.folder(name)
        try:
            read(folder.parent)
        except (OSError, ValueError) as exc:
            raise AdapterError(f"The pool {name!r} is not mounted on {folder.parent}: {exc}", retryable=True) from exc
        return folder

    def has(self, path: Path) -> bool:
        """Return whether the path is the file of a volume in a pool."""
        return any(path.parent == root / VOLUMES for root in self._paths.values())

    def _watch(self, name: str, looked: threading.Event) -> None:
        while True:
            self._probe(name)
            looked.set()
            time.sleep(POLL_INTERVAL_S)

    def _probe(self, name: str) -> None:
        path = self._paths[name]
        try:
            facts = PoolFacts(name, read(path), path, shutil.disk_usage(path).total // GIB)
        except (OSError, ValueError) as exc:
            self._seen.pop(name, None)
            if self._problems.get(name) != str(exc):
                log.warning("pool unavailable", extra={"facts": {"pool": name, "problem": str(exc)}})
            self._problems[name] = str(exc)
            return
        self._problems.pop(name, None)
        self._seen[name] = (time.monotonic(), facts)


def read(path: Path) -> UUID:
    """Read the pool on this path.

    Raises:
        OSError, ValueError: there is none.
    """
    document = json.loads((path / MARKER).read_text())
    return UUID(str(document["uuid"]) if isinstance(document, dict) and "uuid" in document else "")


def make(path: Path) -> UUID:
    """Make a pool of the file system on `path`, or return the existing one.

    If several nodes do so at the same time, only one makes it.

    Raises:
        OSError: it cannot be written.
        ValueError: the marker is none.
    """
    (path / VOLUMES).mkdir(exist_ok=True)
    (path / VOLUMES).chmod(0o711)
    own = UUID(bytes=os.urandom(16), version=4)
    unfinished = path / f".{MARKER}-{own}"
    unfinished.write_text(json.dumps({"uuid": str(own)}) + "\n")
    try:
        os.link(unfinished, path / MARKER)
    except FileExistsError:
        log.info("pool exists already")
    finally:
        unfinished.unlink()
    return read(path)
