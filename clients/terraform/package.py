"""Build the package of the provider: `python -m clients.terraform.package [--out FOLDER]`.

The folder then has, named for registries: the zip for this platform, with a Python of its own in it; SHA256SUMS; and
the manifest. It runs wherever the C library is at least as new as here.
"""

import argparse
import hashlib
import platform
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from clients.terraform.main import VERSION

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
NAME = "terraform-provider-andromede"
MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
# What libraries would use for their own commands, and the provider never does.
EXCLUDED = (
    "click",
    "pygments",
    "rich",
    "tkinter",
    "curses",
    "pydoc",
    "unittest",
    "setuptools",
    "numpy",
    "django",
    "grpc_tools",
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "var" / "terraform")
    out: Path = parser.parse_args().out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    archive = out / f"{NAME}_{VERSION}_{system()}.zip"
    pack(build(out), archive)
    manifest = out / f"{NAME}_{VERSION}_manifest.json"
    shutil.copyfile(HERE / "terraform-registry-manifest.json", manifest)
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in (archive, manifest)]
    (out / f"{NAME}_{VERSION}_SHA256SUMS").write_text("".join(sums))
    sys.stdout.write(f"{archive}\n")
    return 0


def system() -> str:
    """Return Terraform's name of this machine's system."""
    machine = platform.machine()
    return f"{platform.system().lower()}_{MACHINES.get(machine, machine)}"


def build(out: Path) -> Path:
    """Build the folder with the program and its dependencies."""
    work = out / "build"
    shutil.rmtree(work, ignore_errors=True)
    name = f"{NAME}_v{VERSION}"
    command = [sys.executable, "-m", "PyInstaller", "--onedir", "--noconfirm", "--log-level", "WARN", "--name", name]
    for option, folder in (
        ("--paths", ROOT),
        ("--paths", ROOT / "clients" / "sdk"),
        ("--distpath", work / "dist"),
        ("--workpath", work),
        ("--specpath", work),
    ):
        command += [option, str(folder)]
    command += [word for module in EXCLUDED for word in ("--exclude-module", module)]
    subprocess.run([*command, str(HERE / "main.py")], check=True, cwd=ROOT)
    return work / "dist" / name


def pack(folder: Path, archive: Path) -> None:
    """Pack the folder: the same files always give the same bytes, with no times and one order."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                info = zipfile.ZipInfo(str(path.relative_to(folder)))
                info.external_attr = (path.stat().st_mode & 0o777 | 0o100000) << 16
                info.compress_type = zipfile.ZIP_DEFLATED
                packed.writestr(info, path.read_bytes())


if __name__ == "__main__":
    sys.exit(main())
