"""Units. The name of a quantity ends with its unit: _bytes, _mib, _gib, _s, _ms."""

MIB = 2**20
GIB = 2**30


def in_whole(size_bytes: int, unit: int) -> int:
    """Return the number of units, rounded up."""
    return -(-size_bytes // unit)
