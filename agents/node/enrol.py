"""Enrol this node: `request` makes a key and prints a certificate request, `install` stores the certificate.

The key never leaves the node. The control plane chooses the node's id and zone and writes both into the certificate.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from agents.node import pki
from agents.node.trust.keys import root_verifier


def request(state_dir: Path, name: str) -> str:
    """Return a certificate request (PEM) for the node's key, which is made if it does not exist."""
    key = _key(pki.folder(state_dir) / "node.key")
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signed = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM).decode()


def install(state_dir: Path, *, certificate: bytes, ca: bytes, root: bytes, kind: str = pki.NODE) -> None:
    """Store the certificate, the CA's, and the public key of the offline root. `kind`: what the certificate names.

    Raises:
        ValueError: they do not fit each other or the node's key, or the root's is of no kind that is known here.
    """
    folder = pki.folder(state_dir)
    issued, issuer = x509.load_pem_x509_certificate(certificate), x509.load_pem_x509_certificate(ca)
    try:
        issued.verify_directly_issued_by(issuer)
    except (InvalidSignature, TypeError) as exc:
        raise ValueError("The certificate was not issued by this CA.") from exc
    if issued.public_key() != _key(folder / "node.key").public_key():
        raise ValueError("The certificate is for another key than this node's.")
    pki.identity(certificate, kind=kind)
    root_verifier(root)
    (folder / "root.pub").write_bytes(root)
    (folder / "ca.crt").write_bytes(ca)
    (folder / "node.crt").write_bytes(certificate)


def _key(path: Path) -> ec.EllipticCurvePrivateKey:
    if path.exists():
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ValueError(f"{path} holds no elliptic-curve key.")
        return key
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    key = ec.generate_private_key(ec.SECP256R1())
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(text)
    return key


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="agents.node.enrol", description="Enrol this node.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    asking = verbs.add_parser("request", help="create a key and print a certificate request")
    asking.add_argument("--name", required=True, help="name of the node")
    installing = verbs.add_parser("install", help="store the certificate that the control plane issued")
    installing.add_argument("--certificate", type=Path, required=True)
    installing.add_argument("--ca", type=Path, required=True)
    installing.add_argument("--root-key", type=Path, required=True, help="path of the offline root's public key, PEM")
    installing.add_argument("--kind", default=pki.NODE, choices=(pki.NODE, pki.ANNOUNCER, pki.STORAGE))
    for verb in (asking, installing):
        verb.add_argument("--state-dir", type=Path, required=True)
    options = parser.parse_args(arguments)
    if options.verb == "request":
        sys.stdout.write(request(options.state_dir, options.name))
        return
    try:
        install(
            options.state_dir,
            certificate=options.certificate.read_bytes(),
            ca=options.ca.read_bytes(),
            root=options.root_key.read_bytes(),
            kind=options.kind,
        )
    except ValueError as exc:
        raise SystemExit(f"enrol: {exc}") from exc


if __name__ == "__main__":
    main()
