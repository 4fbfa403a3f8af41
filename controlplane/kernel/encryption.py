"""Secrets that the control plane must be able to read again, sealed for the database.

The key is derived from SECRET_KEY for each purpose (HKDF, RFC 5869), and what is sealed is bound to the row that it
belongs to: a value that is moved to another row, or used for another purpose, does not open. Whoever has the database
alone reads nothing; whoever has the settings too reads all of it.
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
    """Sealed with a SECRET_KEY that is not known any more, for something else, or damaged."""


def encrypt(value: bytes, *, purpose: str, row_id: UUID) -> bytes:
    """`value` encrypted (AES-256-GCM), readable by unseal() with the same purpose and row alone."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + AESGCM(derived_key(purpose)).encrypt(nonce, value, row_id.bytes)


def decrypt(sealed: bytes, *, purpose: str, row_id: UUID) -> bytes:
    """What was sealed, also under an earlier key of SECRET_KEY_FALLBACKS.

    Raises:
        Unreadable
    """
    for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        try:
            return AESGCM(_derived(secret, purpose)).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], row_id.bytes)
        except InvalidTag:
            continue
    raise DecryptionFailed(f"{purpose} of {row_id}")


def derived_key(purpose: str) -> bytes:
    """KEY_BYTES bytes that follow from SECRET_KEY, others for each purpose."""
    return _derived(settings.SECRET_KEY, purpose)


@cache
def _derived(secret: str, purpose: str) -> bytes:
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=f"andromede {purpose}".encode()).derive(secret.encode())
