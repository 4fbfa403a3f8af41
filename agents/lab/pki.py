"""Certificate authority of one lab: its libvirt daemons trust only each other (migration)."""

from __future__ import annotations

import datetime
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

VALID = datetime.timedelta(days=365)

# Directory -> the names that libvirt and QEMU expect in it: authority, then (certificate, key) of each role.
LAYOUT = {
    ".": ("cacert.pem", [("servercert.pem", "serverkey.pem"), ("clientcert.pem", "clientkey.pem")]),
    "qemu": (
        "ca-cert.pem",
        [("server-cert.pem", "server-key.pem"), ("client-cert.pem", "client-key.pem")],
    ),
}


def ensure_authority(folder: Path) -> None:
    """Make `folder`/ca.pem and ca.key unless they exist."""
    if (folder / "ca.pem").exists():
        return
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "lab authority")])
    certificate = (
        _builder(name, name, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    _write_key(folder / "ca.key", key)
    (folder / "ca.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def issue(folder: Path, *, name: str, address: str, authority: Path) -> None:
    """Put a certificate of `name` at `address`, for server and client, into `folder` in libvirt's layout."""
    issuer = x509.load_pem_x509_certificate((authority / "ca.pem").read_bytes())
    issuer_key = serialization.load_pem_private_key((authority / "ca.key").read_bytes(), None)
    if not isinstance(issuer_key, ec.EllipticCurvePrivateKey):
        raise TypeError("the lab's authority key is not of an elliptic curve")
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    names = [x509.DNSName(name), x509.IPAddress(ipaddress.ip_address(address))]
    roles = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    certificate = (
        _builder(subject, issuer.subject, key.public_key())
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.ExtendedKeyUsage(roles), critical=False)
        .sign(issuer_key, hashes.SHA256())
    )
    for directory, (ca_name, pairs) in LAYOUT.items():
        subfolder = folder / directory
        subfolder.mkdir(parents=True, exist_ok=True)
        (subfolder / ca_name).write_bytes((authority / "ca.pem").read_bytes())
        for certificate_name, key_name in pairs:
            (subfolder / certificate_name).write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
            _write_key(subfolder / key_name, key)


def _builder(subject: x509.Name, issuer: x509.Name, public_key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return x509.CertificateBuilder(
        subject_name=subject,
        issuer_name=issuer,
        public_key=public_key,
        serial_number=x509.random_serial_number(),
        not_valid_before=now - datetime.timedelta(minutes=5),
        not_valid_after=now + VALID,
    )


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    path.touch(mode=0o600)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
