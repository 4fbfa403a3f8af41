"""Django's backend for PostgreSQL, which asks the server less and reads moments faster."""

from datetime import UTC, datetime
from select import POLLIN, poll
from typing import Any

from django.db.backends.postgresql import base
from psycopg.abc import Buffer
from psycopg.adapt import Loader


class MomentLoader(Loader):
    """Moments as PostgreSQL writes them for who lives in UTC, such as 2026-05-01 12:00:00+00. Python's own reader takes
    a tenth of the time of the pattern that stands for all that PostgreSQL may write."""

    timezone = UTC  # what Django looks for

    def load(self, data: Buffer) -> datetime:
        return datetime.fromisoformat(bytes(data).decode())


class DatabaseWrapper(base.DatabaseWrapper):
    def get_connection_params(self) -> dict[str, Any]:
        parameters: dict[str, Any] = super().get_connection_params()
        parameters["context"].register_loader("timestamptz", MomentLoader)
        return parameters

    def is_usable(self) -> bool:
        """Whether the server has not ended the connection: there would be something to read, though nobody has asked
        anything. Django asks the server itself instead, which costs every request a trip to the database."""
        if self.connection is None or self.connection.closed:
            return False
        waiting = poll()
        waiting.register(self.connection.fileno(), POLLIN)
        return not waiting.poll(0)
