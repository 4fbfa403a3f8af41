"""Secrets that we must be able to read again, enciphered for the database. The keys come from SECRET_KEY, one per
purpose; whoever changes it must give new secrets."""

import base64
from functools import cache

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

KEY_BYTES = 32


def derived_key(purpose: str) -> bytes:
    return _derived(settings.SECRET_KEY, purpose)


@cache
def _derived(secret: str, purpose: str) -> bytes:
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=f"andromede: {purpose}".encode()).derive(secret.encode())


def seal(secret: bytes, *, purpose: str) -> str:
    return _fernet(purpose).encrypt(secret).decode()


def unseal(sealed: str, *, purpose: str) -> bytes | None:
    """None: it was sealed with another SECRET_KEY, or was changed."""
    try:
        return _fernet(purpose).decrypt(sealed)
    except InvalidToken:
        return None


def _fernet(purpose: str) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(derived_key(purpose)))
