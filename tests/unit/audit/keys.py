"""Keys of logs and witnesses for tests."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from andromede_core.evidence.signed_notes import ED25519, Key, Note, sign_note


class Signer:
    def __init__(self, name: str, algorithm: int = ED25519) -> None:
        self.private = Ed25519PrivateKey.generate()
        self.key = Key(name, self.private.public_key().public_bytes_raw(), algorithm)

    def sign(self, message: bytes) -> bytes:
        return self.private.sign(message)

    def note(self, text: str) -> Note:
        return sign_note(text, self.key, self.sign)
