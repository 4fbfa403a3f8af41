"""Cursors: positions in the feed as callers see them.

A position counts the events of all tenants, which is no caller's business; so it is encrypted. One block of AES: the
same position always gives the same text, and a forged text does not decrypt to a leading row of zeros.
"""

import base64
import binascii

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import ECB

from controlplane.kernel import encryption

NOW = "now"
LENGTH = 22


def encode(position: int) -> str:
    encryptor = _cipher().encryptor()
    block = encryptor.update(position.to_bytes(16, "big")) + encryptor.finalize()
    return base64.urlsafe_b64encode(block).decode().rstrip("=")


def decode(text: str) -> int | None:
    """Return the position of a cursor; None for a text that this platform did not make."""
    try:
        block = base64.b64decode(text + "==", altchars=b"-_", validate=True) if len(text) == LENGTH else b""
    except (binascii.Error, ValueError):
        return None
    if len(block) != 16:
        return None
    decryptor = _cipher().decryptor()
    position = int.from_bytes(decryptor.update(block) + decryptor.finalize(), "big")
    return position if position < 2**63 else None


def _cipher() -> Cipher[ECB]:
    return Cipher(AES256(encryption.derived_key("event cursors")), ECB())
