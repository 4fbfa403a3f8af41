"""Certificates as the control plane's CA makes them, for tests with a node or a caller of their own."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

USAGE_OF_CA = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


@dataclass(frozen=True)
class Issued:
    """PEM texts, in the form for a gRPC channel or server."""

    key: bytes
    certificate: bytes
    ca: bytes


@dataclass(frozen=True)
class TestCA:
    __test__ = False  # no test class, whatever its name says

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate
    folder: Path

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)


def make_ca(folder: Path) -> TestCA:
    """Write `folder`/ca.key and `folder`/ca.crt."""
    folder.mkdir(parents=True, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Andromède test CA")])
    certificate = (
        _builder(name, name, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(USAGE_OF_CA, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    ca = TestCA(key, certificate, folder)
    (folder / "ca.key").write_bytes(_key_pem(key))
    (folder / "ca.crt").write_bytes(ca.pem)
    return ca


def issue_node(ca: TestCA, state_dir: Path, *, node_id: UUID, zone: str, root: bytes) -> Issued:
    """Enrol a node: write `state_dir`/pki/{node.key,node.crt,ca.crt,root.pub}. `root`: the root's public key (PEM)."""
    return _enrol(ca, state_dir, f"andromede://zone/{zone}/node/{node_id}", node_dns_name(node_id), root)


def issue_announcer(ca: TestCA, state_dir: Path, *, announcer_id: UUID, zone: str, root: bytes) -> Issued:
    """Enrol an announcer, as issue_node does a node."""
    uri = f"andromede://zone/{zone}/announcer/{announcer_id}"
    return _enrol(ca, state_dir, uri, announcer_dns_name(announcer_id), root)


def issue_storage_agent(ca: TestCA, state_dir: Path, *, storage_id: UUID, zone: str, root: bytes) -> Issued:
    """Enrol a storage agent, as issue_node does a node."""
    uri = f"andromede://zone/{zone}/storage/{storage_id}"
    return _enrol(ca, state_dir, uri, storage_dns_name(storage_id), root)


def _enrol(ca: TestCA, state_dir: Path, uri: str, dns_name: str, root: bytes) -> Issued:
    names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(uri), x509.DNSName(dns_name)]
    issued = issue(ca, names, ExtendedKeyUsageOID.SERVER_AUTH)
    pki = state_dir / "pki"
    pki.mkdir(parents=True, exist_ok=True)
    (pki / "node.key").write_bytes(issued.key)
    (pki / "node.crt").write_bytes(issued.certificate)
    (pki / "ca.crt").write_bytes(issued.ca)
    (pki / "root.pub").write_bytes(root)
    return issued


def issue_controlplane(ca: TestCA, folder: Path, *, process: str = "worker") -> Issued:
    """Write `folder`/<process>.key and .crt."""
    names = [x509.UniformResourceIdentifier(f"andromede://controlplane/{process}")]
    issued = issue(ca, names, ExtendedKeyUsageOID.CLIENT_AUTH)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{process}.key").write_bytes(issued.key)
    (folder / f"{process}.crt").write_bytes(issued.certificate)
    return issued


def issue(ca: TestCA, names: Sequence[x509.GeneralName], usage: ObjectIdentifier) -> Issued:
    key = ec.generate_private_key(ec.SECP256R1())
    return Issued(_key_pem(key), sign(ca, key.public_key(), names, usage), ca.pem)


def sign(
    ca: TestCA, key: ec.EllipticCurvePublicKey, names: Sequence[x509.GeneralName], usage: ObjectIdentifier
) -> bytes:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    certificate = (
        _builder(subject, ca.certificate.subject, key)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca.key.public_key()), critical=False)
        .sign(ca.key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM)


def node_dns_name(node_id: UUID) -> str:
    return f"{node_id}.nodes.andromede.internal"


def announcer_dns_name(announcer_id: UUID) -> str:
    return f"{announcer_id}.announcers.andromede.internal"


def storage_dns_name(storage_id: UUID) -> str:
    return f"{storage_id}.storage.andromede.internal"


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + dt.timedelta(days=1))
    )


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
