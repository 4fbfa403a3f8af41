"""Django's backend for PostgreSQL, which asks the server less."""

from select import POLLIN, poll

from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    def is_usable(self) -> bool:
        """Whether the server has not ended the connection: there would be something to read, though nobody has asked
        anything. Django asks the server itself instead, which costs every request a trip to the database."""
        if self.connection is None or self.connection.closed:
            return False
        waiting = poll()
        waiting.register(self.connection.fileno(), POLLIN)
        return not waiting.poll(0)
