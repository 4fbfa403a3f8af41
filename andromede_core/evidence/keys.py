"""Signature checks with keys that documents name: Ed25519, and ECDSA on P-256. Standard library only."""

import base64
from collections.abc import Callable, Mapping

from andromede_core.evidence import ed25519, p256
from andromede_core.permits.trust_documents import Key

ED25519_HEAD = bytes.fromhex("302a300506032b6570032100")  # of a SubjectPublicKeyInfo (RFC 8410)


Verify = Callable[[bytes, bytes], bool]  # message, signature


def verifier(key: Key) -> Verify:
    """Return a check for the key. An unreadable key, or one of another algorithm, verifies nothing."""
    spki = _decoded(key.public_key)
    check = ALGORITHMS.get(key.algorithm, _never)
    return lambda message, signature: check(spki, signature, message)


def verifier_of(public_key: str) -> Verify:
    """Return a check for `public_key`: base64 of a SubjectPublicKeyInfo, which names its algorithm."""
    spki = _decoded(public_key)
    check = _ed25519 if spki.startswith(ED25519_HEAD) else p256.verify
    return lambda message, signature: check(spki, signature, message)


def _decoded(public_key: str) -> bytes:
    try:
        return base64.b64decode(public_key, validate=True)
    except ValueError:
        return b""


def _ed25519(spki: bytes, signature: bytes, message: bytes) -> bool:
    return spki.startswith(ED25519_HEAD) and ed25519.verify(spki.removeprefix(ED25519_HEAD), signature, message)


def _never(spki: bytes, signature: bytes, message: bytes) -> bool:
    return False


ALGORITHMS: Mapping[str, Callable[[bytes, bytes, bytes], bool]] = {
    "Ed25519": _ed25519,
    "ECDSA-P256-SHA256": p256.verify,
}
