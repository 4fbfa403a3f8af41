"""The export as a file: ordinary tools read it, and every byte of it counts."""

import hashlib
import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from andromede_core.evidence import archive
from andromede_core.evidence.archive import Archive, Listed, NotAnExport

MANIFEST = b'{"manifest":true}\n'
contents = st.lists(st.binary(max_size=1300), max_size=4)


def listed(files: list[bytes]) -> list[Listed]:
    return [Listed(f"file-{number}", len(each), hashlib.sha256(each).hexdigest()) for number, each in enumerate(files)]


def packed(files: list[bytes]) -> bytes:
    out = io.BytesIO()
    archive.write(out, MANIFEST, zip(listed(files), map(io.BytesIO, files), strict=True))
    return out.getvalue()


def read(raw: bytes, files: list[bytes]) -> Archive:
    opened = Archive(io.BytesIO(raw))
    opened.locate(listed(files))
    return opened


@given(contents)
def test_tar_reads_the_archive(files: list[bytes]) -> None:
    with tarfile.open(fileobj=io.BytesIO(packed(files))) as tar:
        members = {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]
    assert list(members) == [archive.FORMAT_NAME, archive.MANIFEST_NAME, *(each.name for each in listed(files))]
    assert list(members.values()) == [archive.FORMAT_TEXT, MANIFEST, *files]


@given(contents)
def test_archive_is_read_as_written(files: list[bytes]) -> None:
    opened = read(packed(files), files)
    assert not opened.oddities
    assert opened.manifest == MANIFEST
    for each, content in zip(listed(files), files, strict=True):
        assert opened.is_as_listed(each.name)
        assert [line for line in opened.lines(each.name)] == content.split(b"\n")[
            : -1 if content.endswith(b"\n") else None
        ] or not content


@given(contents, st.data())
def test_changed_byte_is_detected(files: list[bytes], data: st.DataObject) -> None:
    raw = packed(files)
    position = data.draw(st.integers(0, len(raw) - 1))
    changed = bytearray(raw)
    changed[position] ^= 1 << data.draw(st.integers(0, 7))
    try:
        opened = read(bytes(changed), files)
    except NotAnExport:  # the manifest lost the end of its line, and with it the place of all that follows
        return
    is_odd = opened.oddities or opened.manifest != MANIFEST
    assert is_odd or not all(opened.is_as_listed(each.name) for each in listed(files))


@pytest.mark.parametrize("raw", [b"", b"hello", bytes(4096), packed([])[:1000]])
def test_malformed_archive_is_refused(raw: bytes) -> None:
    with pytest.raises(NotAnExport):
        Archive(io.BytesIO(raw))


def test_truncated_archive_is_refused() -> None:
    with pytest.raises(NotAnExport, match="cut off"):
        read(packed([bytes(2000)])[:4000], [bytes(2000)])
