"""Secrets that are shown once and stored as SHA-256: with 256 random bits, a slow hash would add nothing."""

import hashlib
import secrets

SESSION = "andromede_session_"
LINK = "andromede_link_"


def new(prefix: str) -> tuple[str, bytes]:
    """Return a new secret and its stored form."""
    secret = prefix + secrets.token_urlsafe(32)
    return secret, digest(secret)


def digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
