"""Officers' keys, and signing.

Imports neither database nor settings: officers sign on machines of their own, and only public keys are sent to the
control plane.

A key determines its algorithm: Ed25519 (RFC 8032), or ECDSA on P-256 with SHA-256 for hardware keys without Ed25519.
"""

import base64
import binascii
import hashlib
import os
from dataclasses import dataclass, replace
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
    load_pem_private_key,
    load_pem_public_key,
)

from andromede_core.documents.messages import Message
from andromede_core.documents.signed import Sign, Signed, Verify
from andromede_core.documents.signed import sign as sign_document
from andromede_core.facts.statements import KIND, Statement
from controlplane.kernel import key_files

PrivateKey = Ed25519PrivateKey | EllipticCurvePrivateKey
PublicKey = Ed25519PublicKey | EllipticCurvePublicKey
ALGORITHM_WANTED = Message("must be an Ed25519 key, or an ECDSA key on the curve P-256")


class BadKey(ValueError):
    """A problem with a key or its file."""

    def __init__(self, reason: Message) -> None:
        super().__init__(reason)


@dataclass(frozen=True)
class Officer:
    """A signing officer: key, and name as author."""

    key_id: str
    name: str
    sign: Sign

    def agreed(self, document: Signed) -> Signed:
        """Return the same statement of another author, with this officer's signature."""
        return sign_document(KIND, document.payload, key_id=self.key_id, key=self.sign)

    def signed(self, statement: Statement) -> Signed:
        return sign_document(KIND, replace(statement, author=self.name).payload(), key_id=self.key_id, key=self.sign)


def create_private_key(path: Path) -> PrivateKey:
    """Write a new Ed25519 key (PKCS#8, PEM, 0600); never overwrites a file.

    Raises:
        BadKey: the file cannot be written.
    """
    key = Ed25519PrivateKey.generate()
    try:
        key_files.write(path, key)
    except OSError as exc:
        raise BadKey(Message("{path} cannot be written: {error}", path=path, error=exc.strerror)) from exc
    return key


def _is_for_others(status: os.stat_result) -> bool:
    """Return True if other users may read the file.

    Credentials of systemd (LoadCredential=) belong to root, and the access list has the process' user in place of the
    group.
    """
    return bool(status.st_mode & (0o007 if status.st_uid == status.st_gid == 0 else 0o077))


def read_private_key(path: Path) -> PrivateKey:
    """Read a private key.

    Raises:
        BadKey: the file cannot be read, others may read it too, or its kind of key is not supported.
    """
    try:
        with path.open("rb") as file:
            if _is_for_others(os.fstat(file.fileno())):
                raise BadKey(Message("{path}: others may read it: chmod 600", path=path))
            key = load_pem_private_key(file.read(), password=None)
    except OSError as exc:
        raise BadKey(Message("{path} cannot be read: {error}", path=path, error=exc.strerror)) from exc
    except (ValueError, TypeError, UnsupportedAlgorithm) as exc:
        raise (
            exc
            if isinstance(exc, BadKey)
            else BadKey(Message("{path}: not a private key in PEM without password", path=path))
        ) from exc
    if isinstance(key, Ed25519PrivateKey) or (
        isinstance(key, EllipticCurvePrivateKey) and isinstance(key.curve, SECP256R1)
    ):
        return key
    raise BadKey(Message("the key in {path} {wants}", path=path, wants=ALGORITHM_WANTED))


def public_part(key: PrivateKey) -> str:
    """Return the base64 of the key's SubjectPublicKeyInfo (RFC 5280)."""
    return _as_text(key.public_key())


def read_public_key(text: str) -> str:
    """Return the same for a public key in PEM, or in base64 already.

    Raises:
        BadKey
    """
    try:
        if text.lstrip().startswith("-----"):
            key = load_pem_public_key(text.encode())
        else:
            key = load_der_public_key(base64.b64decode("".join(text.split()), validate=True))
    except (ValueError, TypeError, binascii.Error, UnsupportedAlgorithm) as exc:
        raise BadKey(Message("must be a public key in PEM, or the base64 of its SubjectPublicKeyInfo")) from exc
    if isinstance(key, Ed25519PublicKey) or (
        isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1)
    ):
        return _as_text(key)
    raise BadKey(ALGORITHM_WANTED)


def _as_text(key: PublicKey) -> str:
    return base64.b64encode(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


def algorithm_of(public_key: str) -> str:
    return "Ed25519" if isinstance(_loaded(public_key), Ed25519PublicKey) else "ECDSA-P256-SHA256"


def default_key_id(public_key: str) -> str:
    """Return the default id of a key: the beginning of its SHA-256."""
    return hashlib.sha256(base64.b64decode(public_key)).hexdigest()[:16]


def signer(key: PrivateKey) -> Sign:
    if isinstance(key, Ed25519PrivateKey):
        return key.sign
    return lambda message: key.sign(message, ECDSA(hashes.SHA256()))


def verifier(public_key: str) -> Verify:
    """Return a function that verifies signatures; `public_key` is in the form of read_public_key()."""
    key = _loaded(public_key)

    def verify(message: bytes, signature: bytes) -> bool:
        try:
            if isinstance(key, Ed25519PublicKey):
                key.verify(signature, message)
            else:
                key.verify(signature, message, ECDSA(hashes.SHA256()))
        except InvalidSignature:
            return False
        return True

    return verify


def _loaded(public_key: str) -> PublicKey:
    key = load_der_public_key(base64.b64decode(public_key))
    assert isinstance(key, Ed25519PublicKey | EllipticCurvePublicKey)
    return key
