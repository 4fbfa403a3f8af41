"""Concurrent transactions, each in a thread and a connection of its own, run step by step."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from controlplane.events.services import publish_event
from controlplane.kernel.ids import new_id
from tests.limits import PATIENCE_S


class Writer:
    def __init__(self, project_id: UUID | None = None) -> None:
        self.project_id = project_id
        self.thread = ThreadPoolExecutor(1)
        self.open: Any = None
        self.written: list[UUID] = []

    def emit(self, kind: str = "network.created") -> UUID:
        """Write in its transaction, which begins here if none is open."""
        resource_id = new_id()
        self._do(lambda: self._emit(kind, resource_id))
        self.written.append(resource_id)
        return resource_id

    def commit(self) -> list[UUID]:
        """Commit its transaction."""
        return self._end(is_good=True)

    def roll_back(self) -> None:
        self._end(is_good=False)

    def close(self) -> None:
        self.roll_back()
        self._do(lambda: connection.close())
        self.thread.shutdown()

    def _emit(self, kind: str, resource_id: UUID) -> None:
        if self.open is None:
            self.open = transaction.atomic()
            self.open.__enter__()
        publish_event(None, kind, resource_id, project_id=self.project_id)

    def _end(self, *, is_good: bool) -> list[UUID]:
        if self.open is not None:
            self._do(lambda: self._leave(is_good))
        written, self.written, self.open = self.written, [], None
        return written

    def _leave(self, is_good: bool) -> None:
        if not is_good:
            transaction.set_rollback(True)
        self.open.__exit__(None, None, None)

    def _do(self, what: Callable[[], None]) -> None:
        self.thread.submit(what).result(timeout=PATIENCE_S)


@contextmanager
def writers(count: int, *, project_id: UUID | None = None) -> Iterator[list[Writer]]:
    created = [Writer(project_id) for _ in range(count)]
    try:
        yield created
    finally:
        for writer in created:
            writer.close()
