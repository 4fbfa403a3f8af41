"""A node's key stays on the node; what is installed must fit it."""

import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from agents.node import enrol, pki
from agents.node.context import Identity
from tests.agents.specs import NODE_ID, ZONE
from tests.permits import SigningKey
from tests.pki import TestCA, make_ca, sign

ROOT = SigningKey.p256("root").public_pem


def signed(ca: TestCA, request: str, uri: str = f"andromede://zone/{ZONE}/node/{NODE_ID}") -> bytes:
    key = x509.load_pem_x509_csr(request.encode()).public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    return sign(ca, key, [x509.UniformResourceIdentifier(uri)], ExtendedKeyUsageOID.SERVER_AUTH)


def test_a_node_is_enrolled_from_the_command_line(tmp_path: Path, ca: TestCA) -> None:
    state = tmp_path / "state"

    def run(*arguments: str) -> str:
        command = [sys.executable, "-m", "agents.node.enrol", *arguments, "--state-dir", str(state)]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    request = run("request", "--name", "rack-1")
    (name,) = x509.load_pem_x509_csr(request.encode()).subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    assert name.value == "rack-1"
    assert (state / "pki" / "node.key").stat().st_mode & 0o777 == 0o600
    (tmp_path / "node.crt").write_bytes(signed(ca, request))
    (tmp_path / "root.pub").write_bytes(ROOT)
    given = ("--ca", str(ca.folder / "ca.crt"), "--root-key", str(tmp_path / "root.pub"))
    run("install", "--certificate", str(tmp_path / "node.crt"), *given)
    assert pki.load(state).root == ROOT
    assert pki.identity(pki.load(state).certificate) == Identity(NODE_ID, ZONE)


def test_repeated_request_keeps_the_key(tmp_path: Path) -> None:
    first, second = (x509.load_pem_x509_csr(enrol.request(tmp_path, "n").encode()) for _ in range(2))
    assert first.public_key() == second.public_key()


def test_mismatched_certificate_is_not_installed(tmp_path: Path, ca: TestCA) -> None:
    request, other_request = enrol.request(tmp_path / "a", "a"), enrol.request(tmp_path / "b", "b")
    other_ca = make_ca(tmp_path / "other")
    x25519 = X25519PrivateKey.generate().public_key()
    unusable = x25519.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for certificate, authority, root in (
        (signed(ca, other_request), ca, ROOT),
        (signed(other_ca, request), ca, ROOT),
        (signed(ca, request, "andromede://controlplane/worker"), ca, ROOT),
        (signed(ca, request), ca, b"no key"),
        (signed(ca, request), ca, unusable),
    ):
        with pytest.raises(ValueError):
            enrol.install(tmp_path / "a", certificate=certificate, ca=authority.pem, root=root)
    assert not (tmp_path / "a" / "pki" / "node.crt").exists()


def test_certificate_without_a_node_is_refused(ca: TestCA) -> None:
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    for uri in ("andromede://zone/x", f"https://zone/x/node/{NODE_ID}", f"andromede://zone/x/host/{NODE_ID}"):
        certificate = sign(ca, key, [x509.UniformResourceIdentifier(uri)], ExtendedKeyUsageOID.SERVER_AUTH)
        with pytest.raises(ValueError):
            pki.identity(certificate)
