"""The real Terraform installs a provider from the registry here, and refuses what was not signed like that."""

import hashlib
import json
import ssl
import subprocess
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from django.core.management import CommandError, call_command
from django.core.wsgi import get_wsgi_application
from django.test import Client
from pytest_django import Settings

from tests.pki import issue, make_ca
from tests.terraform.terraform import Terraform

VERSION = "1.2.3"
ZIP = f"terraform-provider-andromede_{VERSION}_linux_amd64.zip"
CONFIGURATION = """
terraform {{
  required_providers {{
    andromede = {{ source = "localhost:{port}/andromede/andromede" }}
  }}
}}
"""


class Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A key and a certificate of localhost, of the authority in `tmp_path`/ca."""
    created = issue(make_ca(tmp_path / "ca"), [x509.DNSName("localhost")], ExtendedKeyUsageOID.SERVER_AUTH)
    path = tmp_path / "localhost.pem"
    path.write_bytes(created.key + created.certificate)
    return path


@pytest.fixture
def port(certificate: Path, settings: Settings, tmp_path: Path) -> Iterator[int]:
    """Return the port on which the API answers over TLS."""
    settings.TERRAFORM_PROVIDERS_DIR = tmp_path / "providers"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server: WSGIServer = make_server("127.0.0.1", 0, get_wsgi_application(), handler_class=Quiet)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def keyring() -> Iterator[dict[str, str]]:
    """The environment of a gpg with one key. Its agent's socket has no room for the path of a test's folder."""
    with TemporaryDirectory(prefix="gpg") as home:
        environment = {"GNUPGHOME": home, "PATH": "/usr/bin:/bin"}
        who = ["release@example.org", "ed25519", "sign", "never"]
        _gpg(environment, "--batch", "--passphrase", "", "--quick-generate-key", *who)
        yield environment
        subprocess.run(["gpgconf", "--kill", "gpg-agent"], env=environment, check=True)


def _gpg(environment: dict[str, str], *words: str) -> str:
    done = subprocess.run(["gpg", *words], env=environment, check=True, capture_output=True, text=True)
    return done.stdout


@pytest.fixture
def release(tmp_path: Path, keyring: dict[str, str]) -> Path:
    """The files of a release with their signatures, and key.asc."""
    folder = tmp_path / "release"
    folder.mkdir()
    with zipfile.ZipFile(folder / ZIP, "w") as archive:
        archive.writestr(zipfile.ZipInfo(f"terraform-provider-andromede_v{VERSION}"), "#!/bin/sh\n")
    (folder / "terraform-registry-manifest.json").write_text(
        '{"version": 1, "metadata": {"protocol_versions": ["6.0"]}}'
    )
    digest = hashlib.sha256((folder / ZIP).read_bytes()).hexdigest()
    (folder / "SHA256SUMS").write_text(f"{digest}  {ZIP}\n")
    _gpg(keyring, "--batch", "--detach-sign", "--output", str(folder / "SHA256SUMS.sig"), str(folder / "SHA256SUMS"))
    (folder / "key.asc").write_text(_gpg(keyring, "--armor", "--export"))
    return folder


def publish(release: Path, keyring: dict[str, str]) -> None:
    listed = _gpg(keyring, "--list-keys", "--with-colons")
    key_id = next(line.split(":")[4] for line in listed.splitlines() if line.startswith("pub"))
    call_command("publish_terraform_provider", str(release), "--key-id", key_id, "--key", str(release / "key.asc"))


def init(tmp_path: Path, port: int, *, expected: int) -> str:
    folder = tmp_path / "configuration"
    folder.mkdir()
    terraform = Terraform(folder, {"SSL_CERT_FILE": str(tmp_path / "ca" / "ca.crt")})
    terraform.write(CONFIGURATION.format(port=port))
    return terraform.run("init", expected=expected)


def test_terraform_installs_the_provider(release: Path, keyring: dict[str, str], port: int, tmp_path: Path) -> None:
    publish(release, keyring)
    publish(release, keyring)
    output = init(tmp_path, port, expected=0)
    assert f"Installed localhost:{port}/andromede/andromede v{VERSION} (self-signed" in output


def test_terraform_refuses_checksums_changed_after_signing(
    release: Path, keyring: dict[str, str], port: int, tmp_path: Path
) -> None:
    publish(release, keyring)
    sums = tmp_path / "providers" / "andromede" / "andromede" / VERSION / "SHA256SUMS"
    sums.write_text(sums.read_text() + f"{'0' * 64}  another.zip\n")
    assert "signature" in init(tmp_path, port, expected=1)


@pytest.mark.parametrize("spoilt", ["zip", "sums", "missing"])
def test_inconsistent_release_is_not_published(
    release: Path, keyring: dict[str, str], settings: Settings, tmp_path: Path, spoilt: str
) -> None:
    settings.TERRAFORM_PROVIDERS_DIR = tmp_path / "providers"
    if spoilt == "zip":
        (release / ZIP).write_bytes(b"other")
    elif spoilt == "sums":
        (release / "SHA256SUMS").write_text("")
    else:
        (release / "SHA256SUMS.sig").unlink()
    with pytest.raises(CommandError):
        publish(release, keyring)
    assert Client().get("/v1/terraform/providers/andromede/andromede/versions").status_code == 404


@pytest.mark.parametrize(
    "path", ["..%2f..%2fpki/x/versions", "andromede/andromede/1.2.3/files/..%2f..%2fsecret", "a/b/0.0.0/download/x/y"]
)
def test_registry_serves_only_releases(
    release: Path, keyring: dict[str, str], settings: Settings, tmp_path: Path, path: str
) -> None:
    settings.TERRAFORM_PROVIDERS_DIR = tmp_path / "providers"
    publish(release, keyring)
    answer = Client().get(f"/v1/terraform/providers/{path}")
    assert (answer.status_code, json.loads(answer.content)["code"].split(".")[-1]) in [
        (404, "not_found"),
        (404, "route_not_found"),
    ]
