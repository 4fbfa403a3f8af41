"""Verification of Ed25519 signatures (RFC 8032 §5.1.7) without any library.

Not for signing: the time taken depends on the bits, which is harmless only because all inputs are public.

Points are in extended coordinates (X, Y, Z, T) with x = X/Z, y = Y/Z, x·y = T/Z. Multiples of a point come from a table
of its multiples by j·16^i, so that a verification needs additions only; the table of a key is kept for its next
signature.
"""

import hashlib
from functools import lru_cache

Point = tuple[int, int, int, int]
Table = list[list[Point]]

PRIME = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
CURVE_D = -121665 * pow(121666, -1, PRIME) % PRIME
ROOT_OF_MINUS_ONE = pow(2, (PRIME - 1) // 4, PRIME)
NEUTRAL: Point = (0, 1, 1, 0)
WINDOWS = 64  # of four bits each: scalars are below 2^256


def verify(public: bytes, signature: bytes, message: bytes) -> bool:
    if len(public) != 32 or len(signature) != 64:
        return False
    table, nonce = _table_of_key(public), _decompress(signature[:32])
    scalar = int.from_bytes(signature[32:], "little")
    if table is None or nonce is None or scalar >= ORDER:
        return False
    digest = hashlib.sha512(signature[:32] + public + message).digest()
    challenge = int.from_bytes(digest, "little") % ORDER
    return _is_same(_multiple(_table_of_base(), scalar), _add(nonce, _multiple(table, challenge)))


def _add(p: Point, q: Point) -> Point:
    a = (p[1] - p[0]) * (q[1] - q[0]) % PRIME
    b = (p[1] + p[0]) * (q[1] + q[0]) % PRIME
    c = 2 * p[3] * q[3] * CURVE_D % PRIME
    d = 2 * p[2] * q[2] % PRIME
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % PRIME, g * h % PRIME, f * g % PRIME, e * h % PRIME)


def _is_same(p: Point, q: Point) -> bool:
    return (p[0] * q[2] - q[0] * p[2]) % PRIME == 0 and (p[1] * q[2] - q[1] * p[2]) % PRIME == 0


def _decompress(raw: bytes) -> Point | None:
    """Decode a point of the curve; None when the bytes encode no point."""
    number = int.from_bytes(raw, "little")
    sign, y = number >> 255, number & ((1 << 255) - 1)
    if y >= PRIME:
        return None
    square = (y * y - 1) * pow(CURVE_D * y * y + 1, -1, PRIME) % PRIME
    x = pow(square, (PRIME + 3) // 8, PRIME)
    if (x * x - square) % PRIME:
        x = x * ROOT_OF_MINUS_ONE % PRIME
    if (x * x - square) % PRIME or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = PRIME - x
    return (x, y, 1, x * y % PRIME)


def _tabulate(point: Point) -> Table:
    table = []
    for _ in range(WINDOWS):
        row = [NEUTRAL]
        for _ in range(15):
            row.append(_add(row[-1], point))
        table.append(row)
        point = _add(row[-1], point)
    return table


def _multiple(table: Table, scalar: int) -> Point:
    total = NEUTRAL
    for row in table:
        total = _add(total, row[scalar & 15])
        scalar >>= 4
    return total


@lru_cache(maxsize=64)
def _table_of_key(public: bytes) -> Table | None:
    point = _decompress(public)
    return None if point is None else _tabulate(point)


@lru_cache(maxsize=1)
def _table_of_base() -> Table:
    base = _decompress((4 * pow(5, -1, PRIME) % PRIME).to_bytes(32, "little"))
    assert base is not None
    return _tabulate(base)
