"""Versions of the documents that nodes accept in growing order."""

from controlplane.kernel import clock


def next_version(version: int) -> int:
    """Return the version after this one.

    After a restore of the database, nodes may have later versions than the rows; the clock is ahead of them.
    """
    return max(version + 1, int(clock.now().timestamp()))
