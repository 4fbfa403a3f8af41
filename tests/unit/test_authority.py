"""Certificates of nodes, as the strictest of those who check them read them."""

import contextlib
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from agents.node import enrol
from agents.node import pki as of_agents
from agents.node.context import Identity
from controlplane.kernel.ids import new_id
from controlplane.nodes import pki


def test_node_certificate_passes_strict_x509_verification(tmp_path: Path) -> None:
    pki.create_authority(tmp_path)
    node_id, request = new_id(), enrol.request(tmp_path, "node-1").encode()
    certificate = pki.sign_node(tmp_path, request_pem=request, node_id=node_id, zone="fr-idf-1")
    (tmp_path / "node.crt").write_bytes(certificate.public_bytes(Encoding.PEM))
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context(cafile=tmp_path / "ca.crt")
    server.load_cert_chain(tmp_path / "node.crt", tmp_path / "pki" / "node.key")
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    answering = server.wrap_bio(there, back, server_side=True)
    asking = client.wrap_bio(back, there, server_hostname=pki.server_name(node_id))
    for side in (asking, answering, asking, answering):
        with contextlib.suppress(ssl.SSLWantReadError):
            side.do_handshake()
    assert asking.version() == "TLSv1.3"
    assert asking.getpeercert()


def test_certificate_of_a_storage_agent_is_of_no_other_kind(tmp_path: Path) -> None:
    pki.create_authority(tmp_path)
    storage_id, request = new_id(), enrol.request(tmp_path, "ceph-1").encode()
    certificate = pki.sign_storage_agent(tmp_path, request_pem=request, storage_id=storage_id, zone="fr-idf-1")
    given = pki.as_pem(certificate).encode()
    assert of_agents.identity(given, kind=of_agents.STORAGE) == Identity(storage_id, "fr-idf-1")
    for kind in (of_agents.NODE, of_agents.ANNOUNCER):
        with pytest.raises(ValueError, match=f"names no {kind}"):
            of_agents.identity(given, kind=kind)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [pki.storage_server_name(storage_id)]
