"""Verify signatures of others, and sign with the node's key.

The key decides the algorithm, never the document: Ed25519, or ECDSA over P-256 with SHA-256 (signatures in DER).
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_private_key, load_pem_public_key

from andromede_core.documents import signed
from andromede_core.documents.signed import Verify
from andromede_core.permits.trust_documents import Key

ED25519, ECDSA_P256 = "Ed25519", "ECDSA-P256-SHA256"


@lru_cache(maxsize=256)
def verifier(key: Key) -> Verify:
    """Return a verifier for the key.

    A key that cannot be read, or is not of the keyset's algorithm, verifies nothing.
    """
    try:
        public = load_der_public_key(base64.b64decode(key.public_key, validate=True))
    except (ValueError, binascii.Error, UnsupportedAlgorithm):
        return _nothing
    return checker(public) if algorithm_of(public) == key.algorithm else _nothing


def root_verifier(pem: bytes) -> Verify:
    """Return a verifier for the root's public key.

    Raises:
        ValueError: this is no public key of an algorithm that is known here.
    """
    try:
        public = load_pem_public_key(pem)
    except UnsupportedAlgorithm as exc:
        raise ValueError("The root's public key is of an unknown kind.") from exc
    if algorithm_of(public) is None:
        raise ValueError(f"The root's public key is neither of {ED25519} nor of {ECDSA_P256}.")
    return checker(public)


def algorithm_of(public: PublicKeyTypes) -> str | None:
    if isinstance(public, Ed25519PublicKey):
        return ED25519
    if isinstance(public, ec.EllipticCurvePublicKey) and isinstance(public.curve, ec.SECP256R1):
        return ECDSA_P256
    return None


def checker(public: PublicKeyTypes) -> Verify:
    def verify(message: bytes, signature: bytes) -> bool:
        try:
            if isinstance(public, Ed25519PublicKey):
                public.verify(signature, message)
            elif isinstance(public, ec.EllipticCurvePublicKey):
                public.verify(signature, message, ec.ECDSA(hashes.SHA256()))
            else:
                return False
        except InvalidSignature:
            return False
        return True

    return verify


def _nothing(message: bytes, signature: bytes) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class NodeKey:
    """Holds the key of the node's certificate; `id`, the node's, is the key id of its signatures."""

    id: str
    private: ec.EllipticCurvePrivateKey

    @classmethod
    def load(cls, node_id: str, pem: bytes) -> "NodeKey":
        """Load the node's key.

        Raises:
            ValueError: enrolment makes no such keys.
        """
        private = load_pem_private_key(pem, password=None)
        if not isinstance(private, ec.EllipticCurvePrivateKey) or not isinstance(private.curve, ec.SECP256R1):
            raise ValueError("The node's key is not one of the curve P-256.")
        return cls(node_id, private)

    def document(self, kind: str, payload: Mapping[str, object]) -> bytes:
        return signed.sign(kind, payload, key_id=self.id, key=self._sign).document()

    def _sign(self, message: bytes) -> bytes:
        return self.private.sign(message, ec.ECDSA(hashes.SHA256()))
