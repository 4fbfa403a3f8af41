"""Django's backend for PostgreSQL with fewer round trips and faster parsing of timestamps and JSON."""

from datetime import UTC, datetime
from select import POLLIN, poll
from typing import Any

import orjson
from django.db.backends.postgresql import base
from psycopg.abc import Buffer
from psycopg.adapt import Loader


class MomentLoader(Loader):
    """Parser of timestamps as PostgreSQL writes them in UTC, such as 2026-05-01 12:00:00+00.

    datetime.fromisoformat takes a tenth of the time of psycopg's pattern, which accepts every format of PostgreSQL.
    """

    timezone = UTC  # Django reads this

    def load(self, data: Buffer) -> datetime:
        return datetime.fromisoformat(bytes(data).decode())


class JsonLoader(Loader):
    """Parser of values of the type json, which statements of our own build; columns are jsonb, which Django parses."""

    def load(self, data: Buffer) -> Any:
        return orjson.loads(data)


class DatabaseWrapper(base.DatabaseWrapper):
    def get_connection_params(self) -> dict[str, Any]:
        parameters: dict[str, Any] = super().get_connection_params()
        parameters["context"].register_loader("timestamptz", MomentLoader)
        parameters["context"].register_loader("json", JsonLoader)
        return parameters

    def is_usable(self) -> bool:
        """Return False if the server has ended the connection: an idle socket with data to read was closed.

        Django sends a query instead, which costs every request a round trip.
        """
        if self.connection is None or self.connection.closed:
            return False
        waiting = poll()
        waiting.register(self.connection.fileno(), POLLIN)
        return not waiting.poll(0)
