"""Files of private keys. Imports neither database nor settings: offline machines of the key owners use this too."""

import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat


def write(path: Path, key: PrivateKeyTypes) -> None:
    """Write the key as PKCS#8 in PEM, readable by its owner only (0600) from the first moment; never overwrites a file.

    Raises:
        OSError
    """
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(pem)
