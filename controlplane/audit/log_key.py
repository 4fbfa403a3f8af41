"""The Ed25519 key that signs log checkpoints: log.key in settings.PKI_DIR. Its name is the origin of the log."""

from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from django.conf import settings

from andromede_core.evidence.signed_notes import Key, Note, sign_note
from controlplane.audit.errors import LogKeyMissing
from controlplane.kernel import key_files

FILE = "log.key"


@dataclass(frozen=True)
class LogKey:
    private: Ed25519PrivateKey

    @property
    def public(self) -> Key:
        return Key(settings.LOG_ORIGIN, self.private.public_key().public_bytes_raw())

    def sign_note(self, text: str) -> Note:
        return sign_note(text, self.public, self.private.sign)


def create_log_key(folder: Path) -> None:
    """Write log.key (PKCS#8, PEM, 0600) into `folder`, unless it exists."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILE
    if not path.exists():
        key_files.write(path, Ed25519PrivateKey.generate())


def load() -> LogKey:
    """Load the key. Raises LogKeyMissing."""
    try:
        key = load_pem_private_key((settings.PKI_DIR / FILE).read_bytes(), password=None)
    except FileNotFoundError as exc:
        raise LogKeyMissing from exc
    assert isinstance(key, Ed25519PrivateKey)
    return LogKey(key)
