"""Secrets that must be read again: they stand in the database under a key that does not."""

import base64

from cryptography.fernet import Fernet, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings


def seal(secret: bytes) -> bytes:
    return _keys().encrypt(secret)


def unseal(sealed: bytes | memoryview) -> bytes:
    """Raises cryptography.fernet.InvalidToken when it was sealed under a key that the settings no longer have."""
    return _keys().decrypt(bytes(sealed))


def _keys() -> MultiFernet:
    return MultiFernet([_key(each) for each in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)])


def _key(secret_key: str | bytes) -> Fernet:
    material = secret_key if isinstance(secret_key, bytes) else secret_key.encode()
    derived = HKDF(SHA256(), length=32, salt=None, info=b"andromede/signin/seal/v1").derive(material)
    return Fernet(base64.urlsafe_b64encode(derived))
