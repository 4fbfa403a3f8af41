"""Files of private keys. Knows neither database nor settings: some are made on machines of their owners."""

import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat


def write(path: Path, key: PrivateKeyTypes) -> None:
    """As PKCS#8 in PEM, for its owner's eyes alone (0600) from the first moment, and never over a file that is there.

    Raises:
        OSError
    """
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(pem)
