"""Ids: UUIDv7 (RFC 9562 §5.7), so that rows created together lie together and lists page by id."""

from uuid import UUID

from uuid_utils.compat import uuid7


def new_id() -> UUID:
    """A new id; later ids sort after earlier ones of the same process."""
    return UUID(int=uuid7().int)
