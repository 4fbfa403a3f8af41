"""A release that is signed can be verified with what Debian has, and another one not."""

import subprocess
from pathlib import Path

import pytest

from scripts import release


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    return path


def is_good(bundle: Path, signature: Path, key: Path) -> bool:
    """Verify a release with the command of docs/how-to/install.md."""
    signers = key.with_name("signers")
    signers.write_text(f"release {key.with_suffix('.pub').read_text()}")
    words = ["ssh-keygen", "-Y", "verify", "-f", signers, "-I", "release", "-n", "andromede-release", "-s", signature]
    with bundle.open("rb") as content:
        return subprocess.run(words, stdin=content, capture_output=True).returncode == 0


def test_only_signed_content_is_valid(tmp_path: Path, key: Path) -> None:
    bundle = tmp_path / "andromede-0.1.0-abc.tar.gz"
    bundle.write_bytes(b"code")
    signature = release.sign(bundle, key)
    assert signature.name == "andromede-0.1.0-abc.tar.gz.sig"
    assert is_good(bundle, signature, key)
    bundle.write_bytes(b"other code")
    assert not is_good(bundle, signature, key)
    assert is_good(bundle, release.sign(bundle, key), key), "signed anew"


def test_signature_of_another_namespace_is_invalid(tmp_path: Path, key: Path) -> None:
    bundle = tmp_path / "andromede-0.1.0-abc.tar.gz"
    bundle.write_bytes(b"code")
    subprocess.run(["ssh-keygen", "-q", "-Y", "sign", "-n", "file", "-f", key, bundle], check=True)
    assert not is_good(bundle, bundle.with_name(f"{bundle.name}.sig"), key)
