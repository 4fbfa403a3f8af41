"""The verification that auditors get: the vectors of RFC 8032, agreement with OpenSSL, and what must not pass."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from andromede_core.evidence.ed25519 import ORDER, PRIME, verify

# RFC 8032 §7.1, tests 1 to 3: public key, message, signature.
VECTORS = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]
KEYS = [Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in range(4)]


@pytest.mark.parametrize(("public", "message", "signature"), VECTORS)
def test_vectors_of_rfc_8032_are_accepted(public: str, message: str, signature: str) -> None:
    raw = bytes.fromhex(public), bytes.fromhex(signature), bytes.fromhex(message)
    assert verify(*raw)
    assert not verify(raw[0], raw[1], raw[2] + b"\0")


@given(st.sampled_from(KEYS), st.binary(max_size=200), st.data())
def test_only_signatures_of_openssl_are_accepted(key: Ed25519PrivateKey, message: bytes, data: st.DataObject) -> None:
    public, signature = key.public_key().public_bytes_raw(), key.sign(message)
    assert verify(public, signature, message)
    bit = data.draw(st.integers(0, 511))
    forged = bytearray(signature)
    forged[bit // 8] ^= 1 << bit % 8
    assert not verify(public, bytes(forged), message)
    other = data.draw(st.sampled_from([other for other in KEYS if other is not key]))
    assert not verify(other.public_key().public_bytes_raw(), signature, message)


def test_a_scalar_beyond_the_order_of_the_group_is_refused() -> None:
    """Else each signature would have a second form (RFC 8032 §5.1.7)."""
    public, signature = KEYS[0].public_key().public_bytes_raw(), KEYS[0].sign(b"x")
    scalar = int.from_bytes(signature[32:], "little") + ORDER
    assert not verify(public, signature[:32] + scalar.to_bytes(32, "little"), b"x")


@pytest.mark.parametrize(
    "point",
    [
        (2).to_bytes(32, "little"),  # no x belongs to this y
        PRIME.to_bytes(32, "little"),  # zero, but not in its shortest form
        (1 | 1 << 255).to_bytes(32, "little"),  # x is 0 and has no sign
        bytes(31),
    ],
)
def test_bytes_that_are_no_point_are_refused(point: bytes) -> None:
    signature = KEYS[0].sign(b"x")
    assert not verify(point, signature, b"x")
    assert not verify(KEYS[0].public_key().public_bytes_raw(), point + signature[32:], b"x")
