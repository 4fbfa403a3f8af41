"""Ids: UUIDv7 (RFC 9562 §5.7), so that rows created together lie together and lists page by id."""

from datetime import datetime
from uuid import UUID

from uuid_utils.compat import uuid7


def new_id() -> UUID:
    """A new id; later ids sort after earlier ones of the same process."""
    return UUID(int=uuid7().int)


def first_id(moment: datetime) -> UUID:
    """The lowest id that can be made at this moment: a bound for rows by their time, where nothing else is indexed."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)
