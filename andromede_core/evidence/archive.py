"""Evidence exports as one file: a tar (POSIX ustar) whose bytes are all determined by its contents.

A byte that differs is found anywhere in the file, also where no tar tool looks. Standard library only.

First comes FORMAT, which is the same in every export, then the manifest (one line), then the files in the order of the
manifest.
"""

import hashlib
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO

BLOCK = tarfile.BLOCKSIZE
FORMAT_NAME, FORMAT_TEXT = "FORMAT", b"andromede.evidence.export/1\n"
MANIFEST_NAME = "manifest.json"
MANIFEST_MAX = 2**20
CHUNK = 2**16


class NotAnExport(ValueError):
    """The file is not an export, or is cut off, so nothing can be verified."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A file as the manifest lists it; `sha256` in hex."""

    name: str
    size: int
    sha256: str


def header(name: str, size: int) -> bytes:
    """Return the tar header of a file; owner, time and the like are constant."""
    info = tarfile.TarInfo(name)
    info.size = size
    return info.tobuf(tarfile.USTAR_FORMAT)


def padding(size: int) -> bytes:
    return bytes(-size % BLOCK)


def end(position: int) -> bytes:
    """Return the padding after the last file, which ends at `position`: two empty blocks, then up to a whole record."""
    return bytes(2 * BLOCK + -(position + 2 * BLOCK) % tarfile.RECORDSIZE)


def write(out: IO[bytes], manifest: bytes, files: Iterable[tuple[Listed, IO[bytes]]]) -> None:
    start = out.tell()
    for name, content in ((FORMAT_NAME, FORMAT_TEXT), (MANIFEST_NAME, manifest)):
        out.write(header(name, len(content)) + content + padding(len(content)))
    for listed, content_of in files:
        out.write(header(listed.name, listed.size))
        for chunk in iter(lambda file=content_of: file.read(CHUNK), b""):  # type: ignore[misc]
            out.write(chunk)
        out.write(padding(listed.size))
    out.write(end(out.tell() - start))


class Archive:
    """Reads an export. `oddities` are the places where its bytes are not what they must be."""

    def __init__(self, file: IO[bytes]) -> None:
        """Read the manifest. Raises NotAnExport."""
        self.file = file
        self.oddities: list[str] = []
        self._members: dict[str, tuple[int, Listed]] = {}
        self.size = file.seek(0, 2)
        self.manifest = self._opening()

    def _opening(self) -> bytes:
        """Read FORMAT and the manifest."""
        first = header(FORMAT_NAME, len(FORMAT_TEXT)) + FORMAT_TEXT + padding(len(FORMAT_TEXT))
        head = self._bytes(0, len(first))
        # An export with a changed byte there is still an export, and its fault is reported.
        if len(head) < len(first) or sum(a != b for a, b in zip(first, head, strict=True)) > len(first) // 16:
            raise NotAnExport("this is no export of evidence that I know")
        self._expect(FORMAT_NAME, 0, first)
        begin = len(first) + BLOCK
        line, newline, _ = self._bytes(begin, MANIFEST_MAX).partition(b"\n")
        manifest = line + newline
        self._expect(f"the header of {MANIFEST_NAME}", len(first), header(MANIFEST_NAME, len(manifest)))
        self._expect(f"the end of {MANIFEST_NAME}", begin + len(manifest), padding(len(manifest)))
        self._next = begin + len(manifest) + len(padding(len(manifest)))
        return manifest

    def locate(self, files: Iterable[Listed]) -> None:
        """Compute where the listed files must be.

        Raises:
            NotAnExport: the file is shorter than its listed files.
        """
        position = self._next
        for listed in files:
            self._expect(f"the header of {listed.name}", position, header(listed.name, listed.size))
            begin = position + BLOCK
            self._members[listed.name] = (begin, listed)
            self._expect(f"the end of {listed.name}", begin + listed.size, padding(listed.size))
            position = begin + listed.size + len(padding(listed.size))
        if self.size < position:
            raise NotAnExport("the export is cut off")
        self._expect("what follows the last file", position, end(position))
        if self.size != position + len(end(position)):
            self.oddities.append("the length of the archive")

    def lines(self, name: str) -> Iterator[bytes]:
        """Yield the lines of a file without their ends; text after the last line end is a line too."""
        begin, listed = self._members[name]
        position, stop = begin, begin + listed.size
        while position < stop:
            self.file.seek(position)
            line = self.file.readline(stop - position)
            position += len(line)
            yield line.removesuffix(b"\n")

    def is_as_listed(self, name: str) -> bool:
        begin, listed = self._members[name]
        digest, position, stop = hashlib.sha256(), begin, begin + listed.size
        while position < stop:
            chunk = self._bytes(position, min(CHUNK, stop - position))
            digest.update(chunk)
            position += len(chunk)
        return digest.hexdigest() == listed.sha256

    def _bytes(self, position: int, count: int) -> bytes:
        self.file.seek(position)
        return self.file.read(count)

    def _expect(self, what: str, position: int, content: bytes) -> None:
        if self._bytes(position, len(content)) != content:
            self.oddities.append(what)
