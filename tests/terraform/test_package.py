"""The package as users get it: real Terraform installs it from a packed mirror, and it works without our Python."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.control_plane import ROOT
from scripts.terraform import Installation, Workspace

pytestmark = pytest.mark.slow

ZIP = "terraform-provider-andromede_0.1.0_linux_amd64.zip"


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("package")
    command = [sys.executable, "-m", "clients.terraform.package", "--out", str(out)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return out


@pytest.mark.nightly
def test_terraform_installs_the_package_from_a_packed_mirror(
    package: Path, installation: Installation, tmp_path: Path
) -> None:
    mirrored = tmp_path / "mirror" / "registry.terraform.io" / "andromede" / "andromede"
    mirrored.mkdir(parents=True)
    (mirrored / ZIP).write_bytes((package / ZIP).read_bytes())
    own = Installation(tmp_path / "installed", installation.name, installation.module).make()
    own.mirror(tmp_path / "mirror")
    (tmp_path / "tf").mkdir()
    tf = Workspace(tmp_path / "tf", own, {"PATH": "/usr/bin:/bin", "ANDROMEDE_URL": "http://127.0.0.1:9"})
    tf.write('resource "andromede_network" "lan" {\n  project = "p"\n  name    = "lan"\n  cidr    = "10.0.0.0/24"\n}\n')
    assert "Success! The configuration is valid." in tf.run("validate")
    assert "The provider has no token" in tf.run("plan", ok=(1,))
    tf.variables["ANDROMEDE_TOKEN"] = "anything"
    assert "1 to add" in tf.plan()


@pytest.mark.nightly
def test_checksums_match_the_files(package: Path) -> None:
    lines = (package / "terraform-provider-andromede_0.1.0_SHA256SUMS").read_text().splitlines()
    sums = {name: digest for digest, name in (line.split("  ") for line in lines)}
    assert set(sums) == {ZIP, "terraform-provider-andromede_0.1.0_manifest.json"}
    for name, digest in sums.items():
        assert hashlib.sha256((package / name).read_bytes()).hexdigest() == digest
