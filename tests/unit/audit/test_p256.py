"""ECDSA as auditors get it: agreement with OpenSSL, and what must not pass."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from andromede_core.evidence.p256 import FIELD, GROUP, verify

KEYS = [ec.derive_private_key(number, ec.SECP256R1()) for number in (1, 2, 3, GROUP - 1, 2**200 + 7)]


def spki(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def sign(key: ec.EllipticCurvePrivateKey, message: bytes) -> bytes:
    return key.sign(message, ec.ECDSA(SHA256()))


@given(st.sampled_from(KEYS), st.sampled_from(KEYS), st.binary(max_size=100), st.integers(0, 10_000))
def test_only_signatures_of_openssl_are_accepted(
    key: ec.EllipticCurvePrivateKey, other: ec.EllipticCurvePrivateKey, message: bytes, bit: int
) -> None:
    signature = sign(key, message)
    assert verify(spki(key), signature, message)
    assert not verify(spki(key), signature, message + b"\0")
    forged = bytearray(signature)
    forged[bit // 8 % len(forged)] ^= 1 << bit % 8
    assert not verify(spki(key), bytes(forged), message)
    assert other is key or not verify(spki(other), signature, message)


@pytest.mark.parametrize(("r", "s"), [(0, 1), (1, 0), (GROUP, 1), (1, GROUP), (0, 0)])
def test_numbers_outside_the_group_are_refused(r: int, s: int) -> None:
    assert not verify(spki(KEYS[0]), encode_dss_signature(r, s), b"x")


def test_a_signature_has_one_form_in_der() -> None:
    r, s = decode_dss_signature(sign(KEYS[0], b"x"))
    long = r.to_bytes(34, "big")
    padded = bytes([0x02, len(long)]) + long + encode_dss_signature(1, s)[5:]
    for other in (
        bytes([0x30, len(padded)]) + padded,
        encode_dss_signature(r, s) + b"\0",
        encode_dss_signature(r, s)[:-1],
        b"",
        bytes(8),
        b"\x30\x06\x02\x01\x81\x02\x01\x01",
    ):
        assert not verify(spki(KEYS[0]), other, b"x")


def test_malformed_key_is_refused() -> None:
    good = spki(KEYS[0])
    signature = sign(KEYS[0], b"x")
    for other in (
        good[:-1],
        good[:-1] + bytes([good[-1] ^ 1]),
        good[:-64] + FIELD.to_bytes(32, "big") + good[-32:],
        b"",
    ):
        assert not verify(other, signature, b"x")
