"""Units. A quantity's unit stands in its name: _bytes, _mib, _gib, _s, _ms."""

KIB = 2**10
MIB = 2**20
GIB = 2**30


def in_whole(size_bytes: int, unit: int) -> int:
    """How many of the unit it takes, the last one perhaps not full."""
    return -(-size_bytes // unit)
