"""`make release`: one file with everything that a server needs besides Debian's packages.

It serves installations without a network: the code of HEAD, the dashboard's files, the French texts, and the wheels for
Debian 13. The build needs the package index; downloads are checked against the digests of requirements.txt. `--key
FILE` signs the file with a private key of ssh-keygen, which proves its origin.
"""

import argparse
import io
import shutil
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path

from scripts.control_plane import BIN, ROOT

FOLDER = ROOT / "var" / "release"
# Debian 13's Python; libvirt's binding is its package python3-libvirt, made for its libvirt.
PYTHON = "3.13"
OF_DEBIAN = "libvirt-python"
EXTRAS = ("controlplane", "agent")
# What scripts/setup makes and Git does not keep.
BUILT = (
    "controlplane/dashboard/collected",
    *(f"{app}/locale/fr/LC_MESSAGES/django.mo" for app in ("controlplane", "controlplane/dashboard")),
)


# What the signature is for: one that was made for something else does not count.
NAMESPACE = "andromede-release"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--key", type=Path, help="private key that signs the release")
    key = parser.parse_args().key
    if key is not None and not key.is_file():
        parser.error(f"there is no key {key}")
    bundle = make()
    sys.stdout.write(f"{bundle}\n")
    if key is not None:
        sys.stdout.write(f"{sign(bundle, key)}\n")
    return 0


def sign(bundle: Path, key: Path) -> Path:
    """Write the signature beside the bundle. ssh-keygen asks for the passphrase of the key, if it has one."""
    signature = bundle.with_name(f"{bundle.name}.sig")
    signature.unlink(missing_ok=True)  # ssh-keygen would ask
    subprocess.run(["ssh-keygen", "-q", "-Y", "sign", "-n", NAMESPACE, "-f", str(key), str(bundle)], check=True)
    return signature


def make() -> Path:
    """Build the bundle anew."""
    name = f"andromede-{version()}"
    shutil.rmtree(FOLDER, ignore_errors=True)
    wheels = FOLDER / "wheels"
    wheels.mkdir(parents=True)
    requirements = wheels / "requirements.txt"
    requirements.write_text(pinned())
    download(requirements, wheels)
    bundle = FOLDER / f"{name}.tar.gz"
    archive = ["git", "archive", f"--prefix={name}/", "HEAD"]
    code = subprocess.run(archive, cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout
    with tarfile.open(bundle, "w:gz", compresslevel=1) as out:
        with tarfile.open(fileobj=io.BytesIO(code)) as of_git:
            for member in of_git:
                out.addfile(member, of_git.extractfile(member))
        for path in BUILT:
            out.add(ROOT / path, f"{name}/{path}")
        out.add(wheels, f"{name}/wheels")
    return bundle


def version_of(bundle: Path) -> str:
    return bundle.name.removeprefix("andromede-").removesuffix(".tar.gz")


def version() -> str:
    """Return the version of the project with the commit: no two releases have the same name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    head = ["git", "rev-parse", "--short=12", "HEAD"]
    commit = subprocess.run(head, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    return f"{project['version']}-{commit}"


def pinned() -> str:
    """Return the requirements of control plane and agents, with the versions and digests of requirements.txt."""
    options = [word for extra in EXTRAS for word in ("--extra", extra)]
    command = [str(BIN / "uv"), "pip", "compile", "--quiet", "--generate-hashes", "--no-header", *options]
    command += ["--python-version", PYTHON, "--constraint", "requirements.txt", "--no-emit-package", OF_DEBIAN]
    compiled = subprocess.run([*command, "pyproject.toml"], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return compiled.stdout


def download(requirements: Path, wheels: Path) -> None:
    command = [str(BIN / "pip"), "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes"]
    command += ["--only-binary", ":all:", "--python-version", PYTHON, "--dest", str(wheels)]
    command += [f"--platform=manylinux_2_{minor}_x86_64" for minor in (17, 28, 34)] + [
        "--platform=manylinux2014_x86_64"
    ]
    subprocess.run([*command, "--requirement", str(requirements)], cwd=ROOT, check=True)


if __name__ == "__main__":
    sys.exit(main())
