"""Ids: UUIDv7 (RFC 9562 §5.7), so that rows created together are stored together and lists page by id."""

from datetime import datetime
from uuid import UUID

from uuid_utils.compat import uuid7


def new_id() -> UUID:
    """Return a new id; later ids sort after earlier ones of the same process."""
    return UUID(int=uuid7().int)


def first_id(moment: datetime) -> UUID:
    """Return the lowest id of this moment: a bound for rows by their time, where no other column is indexed."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)
