"""Unpack, change and repack exports in tests."""

import hashlib
import io
import subprocess
import sys
import tarfile
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from unittest.mock import patch

from andromede_core.documents.signed import sign
from andromede_core.evidence import archive, ed25519, export_format, verify
from andromede_core.evidence.archive import Listed
from andromede_core.evidence.export_format import Manifest
from controlplane.audit import log_key


@dataclass
class Verdict:
    status: int
    out: str

    @property
    def faults(self) -> list[str]:
        return [line for line in self.out.splitlines() if line.startswith("FAULT")]


@dataclass
class Export:
    """An export. `path`: the file as it was written."""

    path: Path
    manifest: Manifest
    files: dict[str, bytes]

    def lines(self, name: str) -> list[bytes]:
        return self.files[name].splitlines()

    def change(self, name: str, edit: Callable[[list[bytes]], list[bytes]]) -> None:
        """Edit a file's lines without updating the manifest."""
        self.files[name] = b"".join(line + b"\n" for line in edit(self.lines(name)))

    def sign(self, **fields: object) -> None:
        """Sign a manifest for the files as they are, with the log's own key, as a dishonest operator could."""
        listed = tuple(Listed(n, len(c), hashlib.sha256(c).hexdigest()) for n, c in self.files.items())
        self.manifest = replace(self.manifest, files=listed, **fields)  # type: ignore[arg-type]

    def pack(self) -> bytes:
        key, out = log_key.load(), io.BytesIO()
        signed = sign(export_format.KIND, self.manifest.payload(), key_id=str(key.public), key=key.private.sign)
        listed = [Listed(each.name, len(self.files[each.name]), each.sha256) for each in self.manifest.files]
        archive.write(out, signed.document() + b"\n", ((each, io.BytesIO(self.files[each.name])) for each in listed))
        return out.getvalue()

    def verdict(self, *options: str) -> Verdict:
        """Verify the files and the manifest as they are now."""
        fresh = self.path.with_suffix(".changed")
        fresh.write_bytes(self.pack())
        return verdict(fresh, *options)


def opened(path: Path) -> Export:
    with tarfile.open(path) as tar:
        files = {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]
    del files[archive.FORMAT_NAME]
    manifest, _ = export_format.read_manifest(files.pop(archive.MANIFEST_NAME))
    return Export(path, manifest, files)


# What one signature is worth is found out once: exports that differ in a byte have the same by the dozen.
_verified_once = cache(ed25519.verify)


def verdict(path: Path, *options: str) -> Verdict:
    out = io.StringIO()
    with patch.object(ed25519, "verify", _verified_once), redirect_stdout(out):
        status = verify.main([str(path), *options])
    return Verdict(status, out.getvalue())


def run_alone(path: Path, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the verifier of the export, with none of the project's packages."""
    with tarfile.open(path) as tar:
        tar.extractall(folder, filter="data")
    command = [sys.executable, "-I", "-S", str(folder / "verify.py"), str(path), *options]
    return subprocess.run(command, check=False, capture_output=True, text=True, cwd=folder)
