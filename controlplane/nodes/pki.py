"""The certificate authority for nodes and for the control plane's processes.

One ECDSA P-256 authority (X.509, RFC 5280). A node's certificate names the node and its zone:
URI andromede://zone/<zone>/node/<node-id>, DNS <node-id>.nodes.andromede.internal. A process of the control plane has
URI andromede://controlplane/<process>. An announcer has announcer and announcers in the place of node and nodes, a
storage agent storage in both places. All three get serverAuth alone, processes clientAuth alone: a stolen node's key
opens no other node. PostgreSQL gets one with its address, and a sentinel elsewhere one as which PostgreSQL knows it.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from uuid import UUID

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from andromede_core.documents.messages import Message
from controlplane.kernel import clock, key_files
from controlplane.nodes.errors import CertificateRequestInvalid, KeyMissing

AUTHORITY_LIFETIME = timedelta(days=3650)
CERTIFICATE_LIFETIME = timedelta(days=397)
CLOCK_SKEW = timedelta(minutes=5)


def server_name(node_id: UUID) -> str:
    """Return the DNS name in the node's certificate, which callers verify."""
    return f"{node_id}.nodes.andromede.internal"


def announcer_server_name(announcer_id: UUID) -> str:
    """Return the DNS name in the announcer's certificate, which callers verify."""
    return f"{announcer_id}.announcers.andromede.internal"


def storage_server_name(storage_id: UUID) -> str:
    """Return the DNS name in the storage agent's certificate, which callers verify."""
    return f"{storage_id}.storage.andromede.internal"


def create_authority(folder: Path) -> None:
    """Write ca.key (0600) and ca.crt into `folder`, unless they are there."""
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / "ca.crt").exists():
        return
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("Andromède authority")
    certificate = (
        _builder(name, name, key.public_key(), AUTHORITY_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(is_authority=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    key_files.write(folder / "ca.key", key)
    (folder / "ca.crt").write_bytes(certificate.public_bytes(Encoding.PEM))


def issue_process(
    folder: Path, process: str, *, ca_key: bytes | None = None, renew_before: timedelta = timedelta(0)
) -> bool:
    """Write <process>.key (0600), unless it exists, and <process>.crt, a client certificate of the control plane.

    A certificate that is valid for longer than `renew_before` is kept. Returns whether one was written. `ca_key`: the
    authority's, PEM, where it is not in the folder.

    Raises:
        KeyMissing: the key does not exist, or is not the authority's.
    """
    path, key_path = folder / f"{process}.crt", folder / f"{process}.key"
    if path.exists():
        ends_at = x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc
        if ends_at > clock.now() + renew_before:
            return False
    authority = _authority(folder, ca_key)
    if not key_path.exists():
        key_files.write(key_path, ec.generate_private_key(ec.SECP256R1()))
    names = [x509.UniformResourceIdentifier(f"andromede://controlplane/{process}")]
    key = _p256(key_path)
    certificate = _sign(authority, key.public_key(), process, names, ExtendedKeyUsageOID.CLIENT_AUTH)
    draft = path.with_suffix(".crt.part")
    draft.write_bytes(certificate.public_bytes(Encoding.PEM))
    draft.replace(path)
    return True


def sign_node(
    folder: Path, *, request_pem: bytes, node_id: UUID, zone: str, ca_key: bytes | None = None
) -> x509.Certificate:
    """Answer a node's certificate request, of which only the public key counts.

    `ca_key`: as in issue_process.

    Raises:
        KeyMissing: as issue_process.
        CertificateRequestInvalid: not a request, a broken signature, or a key other than ECDSA P-256.
    """
    path = f"zone/{zone}/node/{node_id}"
    return _sign_agent(folder, request_pem, node_id, path=path, name=server_name(node_id), ca_key=ca_key)


def sign_announcer(
    folder: Path, *, request_pem: bytes, announcer_id: UUID, zone: str, ca_key: bytes | None = None
) -> x509.Certificate:
    """Answer an announcer's request, as sign_node does a node's.

    Raises:
        KeyMissing, CertificateRequestInvalid: as sign_node does.
    """
    path, name = f"zone/{zone}/announcer/{announcer_id}", announcer_server_name(announcer_id)
    return _sign_agent(folder, request_pem, announcer_id, path=path, name=name, ca_key=ca_key)


def sign_storage_agent(
    folder: Path, *, request_pem: bytes, storage_id: UUID, zone: str, ca_key: bytes | None = None
) -> x509.Certificate:
    """Answer a storage agent's request, as sign_node does a node's.

    Raises:
        KeyMissing, CertificateRequestInvalid: as sign_node does.
    """
    path, name = f"zone/{zone}/storage/{storage_id}", storage_server_name(storage_id)
    return _sign_agent(folder, request_pem, storage_id, path=path, name=name, ca_key=ca_key)


def _sign_agent(
    folder: Path, request_pem: bytes, agent_id: UUID, *, path: str, name: str, ca_key: bytes | None
) -> x509.Certificate:
    names: list[x509.GeneralName] = [
        x509.UniformResourceIdentifier(f"andromede://{path}"),
        x509.DNSName(name),
    ]
    key = _requested_key(request_pem)
    return _sign(_authority(folder, ca_key), key, str(agent_id), names, ExtendedKeyUsageOID.SERVER_AUTH)


def sign_database(folder: Path, *, request_pem: bytes, host: str, ca_key: bytes | None = None) -> x509.Certificate:
    """Answer PostgreSQL's request, as sign_node does a node's. `host`: the name or address by which it is reached.

    Raises:
        KeyMissing, CertificateRequestInvalid: as sign_node does.
    """
    key = _requested_key(request_pem)
    return _sign(_authority(folder, ca_key), key, "database", [_host(host)], ExtendedKeyUsageOID.SERVER_AUTH)


def sign_sentinel(folder: Path, *, request_pem: bytes, ca_key: bytes | None = None) -> x509.Certificate:
    """Answer the request of a sentinel on another machine, as sign_node does a node's. No agent lets it call anything.

    Raises:
        KeyMissing, CertificateRequestInvalid: as sign_node does.
    """
    names = [x509.UniformResourceIdentifier("andromede://controlplane/sentinel")]
    key = _requested_key(request_pem)
    return _sign(_authority(folder, ca_key), key, "sentinel", names, ExtendedKeyUsageOID.CLIENT_AUTH)


def _p256(path: Path) -> ec.EllipticCurvePrivateKey:
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError) as exc:
        raise KeyMissing(reason=_unreadable(path, str(exc))) from exc
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise KeyMissing(reason=_unreadable(path, type(key).__name__))
    return key


def _unreadable(path: Path | str, error: str) -> Message:
    return Message("{path} cannot be read: {error}", path=str(path), error=error)


def as_pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _requested_key(request_pem: bytes) -> ec.EllipticCurvePublicKey:
    try:
        request = x509.load_pem_x509_csr(request_pem)
        is_signed = request.is_signature_valid
        key = request.public_key()
    except (ValueError, InvalidSignature) as exc:
        raise CertificateRequestInvalid(field="csr", reason=Message("it is not a PEM certificate request")) from exc
    if not is_signed:
        raise CertificateRequestInvalid(field="csr", reason=Message("its signature is broken"))
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise CertificateRequestInvalid(field="csr", reason=Message("its key is not ECDSA P-256"))
    return key


def public_key_of(certificate: x509.Certificate) -> str:
    """Return the base64 of its SubjectPublicKeyInfo."""
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(key).decode()


@dataclass(frozen=True)
class _Authority:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def _authority(folder: Path, ca_key: bytes | None) -> _Authority:
    try:
        certificate = x509.load_pem_x509_certificate((folder / "ca.crt").read_bytes())
        key = load_pem_private_key(ca_key or (folder / "ca.key").read_bytes(), password=None)
    except OSError as exc:
        raise KeyMissing(reason=_unreadable(exc.filename, exc.strerror or "")) from exc
    except (ValueError, TypeError) as exc:
        raise KeyMissing(reason=Message("the authority's key is not an unencrypted private key in PEM")) from exc
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        raise KeyMissing(reason=Message("the key does not match ca.crt"))
    return _Authority(certificate, key)


def _sign(
    authority: _Authority,
    public_key: ec.EllipticCurvePublicKey,
    common_name: str,
    names: Sequence[x509.GeneralName],
    usage: x509.ObjectIdentifier,
) -> x509.Certificate:
    issuer = authority.key.public_key()
    return (
        _builder(_name(common_name), authority.certificate.subject, public_key, CERTIFICATE_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(is_authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer), critical=False)
        .sign(authority.key, hashes.SHA256())
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, lifetime: timedelta
) -> x509.CertificateBuilder:
    now = clock.now()
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + lifetime)
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _key_usage(*, is_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        encipher_only=False,
        decipher_only=False,
    )
