"""Checks of signatures by keys that documents name: Ed25519, and ECDSA on P-256. Standard library only."""

import base64
from collections.abc import Callable, Mapping

from controlplane.placement.core.trust import Key

from . import ed25519, p256

ED25519_HEAD = bytes.fromhex("302a300506032b6570032100")  # of a SubjectPublicKeyInfo (RFC 8410)


def verifier(key: Key) -> Callable[[bytes, bytes], bool]:
    """Of (message, signature). A key that cannot be read verifies nothing."""
    return verifier_of(key.algorithm, key.public_key)


def verifier_of(algorithm: str, public_key: str) -> Callable[[bytes, bytes], bool]:
    """`public_key`: base64 of its SubjectPublicKeyInfo."""
    try:
        spki = base64.b64decode(public_key, validate=True)
    except ValueError:
        return lambda message, signature: False
    check = ALGORITHMS.get(algorithm, _unknown)
    return lambda message, signature: check(spki, signature, message)


def _ed25519(spki: bytes, signature: bytes, message: bytes) -> bool:
    return spki.startswith(ED25519_HEAD) and ed25519.verify(spki.removeprefix(ED25519_HEAD), signature, message)


def _unknown(spki: bytes, signature: bytes, message: bytes) -> bool:
    return False


ALGORITHMS: Mapping[str, Callable[[bytes, bytes, bytes], bool]] = {
    "Ed25519": _ed25519,
    "ECDSA-P256-SHA256": p256.verify,
}
