"""Verification of ECDSA signatures on the curve P-256 with SHA-256 (FIPS 186-5, SEC 1) without any library.

Keys are SubjectPublicKeyInfo (RFC 5480) with an uncompressed point, signatures the DER of RFC 3279. Points are in
Jacobian coordinates (X, Y, Z) with x = X/Z², y = Y/Z³; Z = 0 is the point at infinity.
"""

import hashlib

JacobianPoint = tuple[int, int, int]

FIELD = 2**256 - 2**224 + 2**192 + 2**96 - 1
GROUP = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
CURVE_B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
BASE: JacobianPoint = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
    1,
)
INFINITY: JacobianPoint = (0, 1, 0)
SPKI_HEAD = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")


def verify(spki: bytes, signature: bytes, message: bytes) -> bool:
    point, pair = _point(spki), _pair(signature)
    if point is None or pair is None:
        return False
    r, s = pair
    if not (0 < r < GROUP and 0 < s < GROUP):
        return False
    digest = int.from_bytes(hashlib.sha256(message).digest(), "big")
    inverse = pow(s, -1, GROUP)
    x, _, z = _sum_of_multiples(digest * inverse % GROUP, r * inverse % GROUP, point)
    return z != 0 and x * pow(z, -2, FIELD) % FIELD % GROUP == r


def _point(spki: bytes) -> JacobianPoint | None:
    if len(spki) != len(SPKI_HEAD) + 64 or not spki.startswith(SPKI_HEAD):
        return None
    x, y = int.from_bytes(spki[-64:-32], "big"), int.from_bytes(spki[-32:], "big")
    is_on_curve = x < FIELD and y < FIELD and (y * y - (x * x - 3) * x - CURVE_B) % FIELD == 0
    return (x, y, 1) if is_on_curve else None


def _pair(der: bytes) -> tuple[int, int] | None:
    """Decode the two integers of a SEQUENCE in strict DER; None for anything else, other forms of them included."""
    if len(der) < 8 or der[0] != 0x30 or der[1] != len(der) - 2 or der[1] >= 0x80:
        return None
    first = _integer(der, 2)
    second = _integer(der, 4 + der[3]) if first is not None else None
    if first is None or second is None or 6 + der[3] + der[5 + der[3]] != len(der):
        return None
    return first, second


def _integer(der: bytes, at: int) -> int | None:
    """Decode a positive INTEGER in its shortest form."""
    if at + 2 > len(der) or der[at] != 0x02:
        return None
    raw = der[at + 2 : at + 2 + der[at + 1]]
    if len(raw) != der[at + 1] or not raw or raw[0] & 0x80 or (raw[0] == 0 and (len(raw) == 1 or raw[1] < 0x80)):
        return None
    return int.from_bytes(raw, "big")


def _sum_of_multiples(u: int, v: int, point: JacobianPoint) -> JacobianPoint:
    """Compute u·BASE + v·point, bit by bit (Shamir's trick)."""
    both = _plus(BASE, point)
    total = INFINITY
    for bit in range(max(u.bit_length(), v.bit_length()) - 1, -1, -1):
        total = _double(total)
        match (u >> bit & 1, v >> bit & 1):
            case (1, 1):
                total = _plus(total, both)
            case (1, 0):
                total = _plus(total, BASE)
            case (0, 1):
                total = _plus(total, point)
    return total


def _double(p: JacobianPoint) -> JacobianPoint:
    x, y, z = p
    if z == 0:
        return INFINITY
    yy = y * y % FIELD
    s = 4 * x * yy % FIELD
    m = 3 * (x - z * z) * (x + z * z) % FIELD
    x3 = (m * m - 2 * s) % FIELD
    return (x3, (m * (s - x3) - 8 * yy * yy) % FIELD, 2 * y * z % FIELD)


def _plus(p: JacobianPoint, q: JacobianPoint) -> JacobianPoint:
    if p[2] == 0:
        return q
    if q[2] == 0:
        return p
    zz1, zz2 = p[2] * p[2] % FIELD, q[2] * q[2] % FIELD
    u1, u2 = p[0] * zz2 % FIELD, q[0] * zz1 % FIELD
    s1, s2 = p[1] * q[2] * zz2 % FIELD, q[1] * p[2] * zz1 % FIELD
    if u1 == u2:
        return _double(p) if s1 == s2 else INFINITY
    h, r = u2 - u1, s2 - s1
    hh = h * h % FIELD
    hhh, w = h * hh % FIELD, u1 * hh % FIELD
    x = (r * r - hhh - 2 * w) % FIELD
    return (x, (r * (w - x) - s1 * hhh) % FIELD, h * p[2] * q[2] % FIELD)
