"""The key and certificates of a node, an announcer or a storage agent on disk, and the identity in its certificate."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit
from uuid import UUID

from cryptography import x509

from agents.node.context import Identity

NODE, ANNOUNCER, STORAGE = "node", "announcer", "storage"


@dataclass(frozen=True, slots=True)
class Credentials:
    """Credentials in PEM. `root` is the public key of the offline root, which signs the trust documents."""

    key: bytes
    certificate: bytes
    ca: bytes
    root: bytes


def folder(state_dir: Path) -> Path:
    return state_dir / "pki"


def load(state_dir: Path) -> Credentials:
    pki = folder(state_dir)
    return Credentials(
        key=(pki / "node.key").read_bytes(),
        certificate=(pki / "node.crt").read_bytes(),
        ca=(pki / "ca.crt").read_bytes(),
        root=(pki / "root.pub").read_bytes(),
    )


def identity(certificate: bytes, *, kind: str = NODE) -> Identity:
    """Return the identity from the URI andromede://zone/<zone>/<kind>/<id>.

    Raises:
        ValueError: the certificate names nothing of this kind.
    """
    names = x509.load_pem_x509_certificate(certificate).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    for uri in names.value.get_values_for_type(x509.UniformResourceIdentifier):
        parts = urlsplit(uri)
        path = parts.path.split("/")
        if (parts.scheme, parts.netloc) == ("andromede", "zone") and len(path) == 4 and path[2] == kind:
            return Identity(node_id=UUID(path[3]), zone=unquote(path[1]))
    raise ValueError(f"The certificate names no {kind}: it is not one that enrolment has made.")
