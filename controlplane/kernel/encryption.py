"""Encryption of secrets that the control plane must be able to read again.

The key is derived from SECRET_KEY for each purpose (HKDF, RFC 5869), and the ciphertext is bound to its row: a value
that is moved to another row, or used for another purpose, does not decrypt. The database alone reveals nothing; the
database together with the settings reveals everything.
"""

import secrets
from functools import cache
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

NONCE_BYTES = 12
KEY_BYTES = 32


class DecryptionFailed(Exception):
    """The ciphertext is damaged, belongs to another row or purpose, or was made with a SECRET_KEY that is no longer
    known.
    """


def encrypt(value: bytes, *, purpose: str, row_id: UUID) -> bytes:
    """Return `value` encrypted (AES-256-GCM); only decrypt() with the same purpose and row can read it."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + AESGCM(derived_key(purpose)).encrypt(nonce, value, row_id.bytes)


def decrypt(ciphertext: bytes, *, purpose: str, row_id: UUID) -> bytes:
    """Return the plaintext; also tries the earlier keys of SECRET_KEY_FALLBACKS.

    Raises:
        DecryptionFailed
    """
    for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        try:
            return AESGCM(_derived(secret, purpose)).decrypt(
                ciphertext[:NONCE_BYTES], ciphertext[NONCE_BYTES:], row_id.bytes
            )
        except InvalidTag:
            continue
    raise DecryptionFailed(f"{purpose} of {row_id}")


def derived_key(purpose: str) -> bytes:
    """Derive KEY_BYTES bytes from SECRET_KEY, different for each purpose."""
    return _derived(settings.SECRET_KEY, purpose)


@cache
def _derived(secret: str, purpose: str) -> bytes:
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=f"andromede {purpose}".encode()).derive(secret.encode())
