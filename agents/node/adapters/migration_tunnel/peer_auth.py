"""Mutual authentication: nodes show each other their enrolment certificates, whose fingerprints are in permits.

The destination proves itself by TLS. The source signs a fresh random number of the destination, since certificates of
nodes are not valid for clients of TLS: a node's key opens only an expected migration.
"""

import hashlib
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from agents.node import pki
from agents.node.errors import AdapterError
from agents.node.trust.keys import NodeKey, checker
from andromede_core.documents import signed
from andromede_core.documents.signed import BadDocument

KIND = "passage"
MAX_LINE_BYTES = 16 * 1024
MAX_BLOCK_BYTES = 4 * 2**20
TIMEOUT_S = 10.0


class PeerRejected(AdapterError):
    """The other node refuses, or is not the expected one."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, retryable=False)


@dataclass(frozen=True, slots=True)
class NodeCredentials:
    """Certificate and key of this node."""

    credentials: pki.Credentials
    key: NodeKey

    @classmethod
    def load(cls, state_dir: Path) -> "NodeCredentials":
        credentials = pki.load(state_dir)
        identity = pki.identity(credentials.certificate)
        return cls(credentials, NodeKey.load(str(identity.node_id), credentials.key))

    @property
    def fingerprint(self) -> str:
        return fingerprint(x509.load_pem_x509_certificate(self.credentials.certificate))

    def server_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        with TemporaryDirectory() as folder:  # the module takes certificates from files alone; this one is ours only
            chain = Path(folder) / "chain.pem"
            chain.touch(mode=0o600)
            chain.write_bytes(self.credentials.key + self.credentials.certificate)
            context.load_cert_chain(chain)
        return context

    def client_context(self) -> ssl.SSLContext:
        """Return the context of a client.

        It ignores the name in the certificate: `verify_certificate` checks the fingerprint.
        """
        context = ssl.create_default_context(cadata=self.credentials.ca.decode())
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.check_hostname = False
        # Authorities from before put no key identifiers into certificates, on which Python insists since 3.13.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        return context

    def claim(self, nonce: str, guest_id: UUID, channel: str, *, to: str) -> dict[str, object]:
        payload = {"nonce": nonce, "guest": str(guest_id), "channel": channel, "to": to}
        return {
            "document": self.key.document(KIND, payload).decode(),
            "certificate": self.credentials.certificate.decode(),
        }


@dataclass(frozen=True, slots=True)
class Claim:
    """The peer's claim: its identity, the guest and the channel."""

    fingerprint: str
    guest_id: UUID
    channel: str


def fingerprint(certificate: x509.Certificate) -> str:
    return hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()


def verify_certificate(connection: ssl.SSLSocket, expected: str) -> None:
    """Check the certificate of the other end.

    Raises:
        PeerRejected: the other end shows another certificate than the permit names.
    """
    shown = hashlib.sha256(connection.getpeercert(binary_form=True) or b"").hexdigest()
    if shown != expected:
        raise PeerRejected(f"The destination shows the certificate {shown}, not {expected} as the permit says.")


def read_claim(body: Mapping[str, Any], *, nonce: str, to: str) -> Claim:
    """Read and verify the claim of the peer.

    Raises:
        PeerRejected: it is not signed by the key of the certificate that it shows, or made for another occasion.
    """
    try:
        certificate = x509.load_pem_x509_certificate(str(body["certificate"]).encode())
        document = signed.read(str(body["document"]).encode())
        document.check(KIND, checker(certificate.public_key()))
        payload = document.payload
        if (payload["nonce"], payload["to"]) != (nonce, to):
            raise PeerRejected("The proof was made for another occasion.")
        return Claim(fingerprint(certificate), UUID(str(payload["guest"])), str(payload["channel"]))
    except (KeyError, ValueError, BadDocument) as exc:
        raise PeerRejected(f"The proof cannot be read: {exc}") from exc


def send_message(connection: ssl.SSLSocket, message: Mapping[str, object]) -> None:
    connection.sendall(json.dumps(message).encode() + b"\n")


def receive_message(connection: ssl.SSLSocket) -> dict[str, Any]:
    """Receive one line and not a byte more.

    Raises:
        PeerRejected: the other end has hung up, or speaks otherwise.
    """
    line = bytearray()
    while not line.endswith(b"\n"):
        byte = connection.recv(1)
        if not byte or len(line) >= MAX_LINE_BYTES:
            raise PeerRejected("The other node has hung up.")
        line += byte
    try:
        return dict(json.loads(line))
    except (ValueError, TypeError) as exc:
        raise PeerRejected("The other node cannot be understood.") from exc


def send_block(connection: ssl.SSLSocket, block: bytes) -> None:
    """Send a block of bytes.

    Raises:
        PeerRejected: the other end does not say that it has kept them.
    """
    send_message(connection, {"size_bytes": len(block)})
    connection.sendall(block)
    receive_acceptance(connection)


def receive_acceptance(connection: ssl.SSLSocket) -> None:
    """Receive the answer to a request.

    Raises:
        PeerRejected: it is a refusal, or the other end has hung up.
    """
    reason = receive_message(connection).get("reason")
    if reason != "":
        raise PeerRejected(f"The destination refuses: {reason}")


def receive_block(connection: ssl.SSLSocket) -> bytes:
    """Receive the block of `send_block`; the caller acknowledges after storing it.

    Raises:
        PeerRejected: the other end has hung up, or sends too much.
    """
    return receive_rest(connection, receive_message(connection))


def receive_rest(connection: ssl.SSLSocket, head: Mapping[str, Any]) -> bytes:
    """Receive a block whose first message was received.

    Raises:
        PeerRejected: the other end has hung up, or sends too much.
    """
    size_bytes = head.get("size_bytes")
    if not isinstance(size_bytes, int) or not 0 < size_bytes <= MAX_BLOCK_BYTES:
        raise PeerRejected(f"A block has between 1 and {MAX_BLOCK_BYTES} bytes.")
    block = bytearray()
    while len(block) < size_bytes:
        part = connection.recv(size_bytes - len(block))
        if not part:
            raise PeerRejected("The other node has hung up.")
        block += part
    return bytes(block)
