"""Inspection of disk images, before any other tool opens them.

Images are untrusted. A backing file or an external data file would let a guest read files of the machine that opens it;
an unknown feature could change the meaning of the bytes for the next tool. So this module reads the first bytes; then
`qemu-img` checks the rest, with the declared format forced, in a process with limited time and memory and without write
access. Features that are not listed here are rejected. Nodes inspect again, with code of their own.
"""

import json
import logging
import struct
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from andromede_core.documents.messages import Message
from controlplane.catalog.errors import ImageInspectionFailed, ImageRefused
from controlplane.kernel.units import GIB, MIB

log = logging.getLogger(__name__)

CPU_LIMIT_S = 20
TIME_LIMIT_S = 40
MEMORY_LIMIT_BYTES = 1024 * MIB
# Of qemu-img: each thread, up to 64 while the disk is slow, would reserve 64 MiB of addresses for an arena of its own.
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "MALLOC_ARENA_MAX": "1"}
SECTOR_BYTES = 512
HEAD_BYTES = 0x8001 + 5

QCOW2 = "qcow2"
# Signatures of other formats: offset, bytes, name in the error.
SIGNATURES = (
    (0, b"QFI\xfb", QCOW2),
    (0, b"QED\0", "QED"),
    (0, b"KDMV", "VMDK"),
    (0, b"COWD", "VMDK"),
    (0, b"# Disk DescriptorFile", "VMDK"),
    (0, b"vhdxfile", "VHDX"),
    (0, b"conectix", "VHD"),
    (0, b"cxsparse", "VHD"),
    (0, b"WithoutFreeSpace", "Parallels"),
    (0, b"WithouFreSpacExt", "Parallels"),
    (0, b"Bochs Virtual HD Image", "Bochs"),
    (0, b"LUKS\xba\xbe", "LUKS (encrypted)"),
    (0, b"\x1f\x8b", "gzip"),
    (0, b"\xfd7zXZ\0", "xz"),
    (0, b"\x28\xb5\x2f\xfd", "zstd"),
    (0, b"BZh", "bzip2"),
    (0, b"PK\x03\x04", "zip"),
    (0x40, b"\x7f\x10\xda\xbe", "VDI"),
    (0x8001, b"CD001", "ISO 9660"),
)
TRAILING_SIGNATURES = ((b"conectix", "VHD"), (b"koly", "DMG"))

QCOW2_HEAD = struct.Struct(">4sIQIIQI36xQ")
DIRTY, CORRUPT, DATA_FILE, COMPRESSION = 1, 2, 4, 8
# Accepted values of `qemu-img info` for a qcow2 file under "format-specific".
QCOW2_FEATURES: Mapping[str, tuple[object, ...]] = {
    "compat": ("0.10", "1.1"),
    "compression-type": ("zlib", "zstd"),
    "lazy-refcounts": (False, True),
    "refcount-bits": (16,),
    "corrupt": (False,),
    "extended-l2": (False,),
}


@dataclass(frozen=True)
class Inspection:
    virtual_size_bytes: int


def inspect(path: Path, declared_format: str) -> Inspection:
    """Return the description of an image that has the declared format ("qcow2" or "raw") and is accepted.

    Raises:
        ImageRefused: `reason` says why.
        ImageInspectionFailed: the inspection itself failed.
    """
    size = path.stat().st_size
    if size == 0:
        raise ImageRefused(reason=Message("it is empty."))
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
        file.seek(max(0, size - SECTOR_BYTES))
        tail = file.read(SECTOR_BYTES)
    _check_signature(head, tail, declared_format)
    if declared_format == QCOW2:
        _check_qcow2_head(head)
    elif size % SECTOR_BYTES:
        raise ImageRefused(
            reason=Message(
                "a raw image is a multiple of {sector_bytes} bytes long; this one may be truncated.",
                sector_bytes=SECTOR_BYTES,
            )
        )
    report = _qemu_img("info", path, declared_format)
    _check_report(report, declared_format)
    if declared_format == QCOW2:
        _qemu_img("check", path, declared_format)
    return Inspection(_virtual_size(report))


def _check_signature(head: bytes, tail: bytes, declared_format: str) -> None:
    detected_format = next((name for at, mark, name in SIGNATURES if head[at : at + len(mark)] == mark), None)
    detected_format = detected_format or next(
        (name for mark, name in TRAILING_SIGNATURES if tail.startswith(mark)), None
    )
    if detected_format == declared_format or (detected_format is None and declared_format == "raw"):
        return
    if detected_format is None:
        raise ImageRefused(
            reason=Message(
                "it was declared as {declared_format}, but does not begin like one.", declared_format=declared_format
            )
        )
    raise ImageRefused(
        reason=Message(
            "it was declared as {declared_format}, but lies about its format: it is {found}.",
            declared_format=declared_format,
            found=detected_format,
        )
    )


def _check_qcow2_head(head: bytes) -> None:
    """Check the header before qemu-img opens the file, since qemu-img would open the files that it names."""
    if len(head) < QCOW2_HEAD.size:
        raise ImageRefused(reason=Message("it ends within its qcow2 header."))
    _, version, backing_offset, backing_length, _, _, encryption, features = QCOW2_HEAD.unpack_from(head)
    if version not in (2, 3):
        raise ImageRefused(
            reason=Message("its qcow2 version is {version}; versions 2 and 3 are accepted.", version=version)
        )
    if backing_offset or backing_length:
        raise ImageRefused(reason=Message("it refers to a backing file. Flatten it with qemu-img convert."))
    if encryption:
        raise ImageRefused(reason=Message("it is encrypted."))
    if version == 3:
        _check_qcow2_features(features)


def _check_qcow2_features(features: int) -> None:
    if features & DATA_FILE:
        raise ImageRefused(reason=Message("it keeps its data in an external file. Flatten it with qemu-img convert."))
    if features & CORRUPT:
        raise ImageRefused(reason=Message("it is marked as corrupt."))
    if features & DIRTY:
        raise ImageRefused(reason=Message("it was not closed properly. Repair it with qemu-img check -r all."))
    if features & ~COMPRESSION:
        raise ImageRefused(
            reason=Message("it needs qcow2 features that are not accepted (0x{features:x}).", features=features)
        )


def _qemu_img(verb: str, path: Path, declared_format: str) -> Mapping[str, object]:
    """Return the report of `qemu-img <verb>` about the file.

    Raises:
        ImageRefused: the file is unreadable or damaged, or the limits were exceeded.
        ImageInspectionFailed: qemu-img could not be run.
    """
    limits = [f"--cpu={CPU_LIMIT_S}", f"--as={MEMORY_LIMIT_BYTES}", "--fsize=0", "--core=0", "--nofile=64"]
    command = ["prlimit", *limits, "--", "qemu-img", verb, "--output=json", "-U", "-f", declared_format, str(path)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=TIME_LIMIT_S, env=ENVIRONMENT, check=False)
    except subprocess.TimeoutExpired as exc:
        raise ImageRefused(reason=Message("looking into it takes too long.")) from exc
    except OSError as exc:
        raise ImageInspectionFailed() from exc
    return _understood(verb, done, declared_format)


NOT_FOUND, LEAKS_ONLY = 127, 3


def _understood(verb: str, done: subprocess.CompletedProcess[bytes], declared_format: str) -> Mapping[str, object]:
    if done.returncode in (0, LEAKS_ONLY):
        report: Mapping[str, object] = json.loads(done.stdout)
        return report
    log.info("qemu-img %s: %d %s", verb, done.returncode, done.stderr[-500:].decode(errors="replace"))
    if done.returncode == NOT_FOUND:
        raise ImageInspectionFailed()
    if done.returncode < 0:
        raise ImageRefused(reason=Message("looking into it takes too much time or memory."))
    if verb == "check":
        raise ImageRefused(reason=Message("its tables are damaged, or it is truncated."))
    raise ImageRefused(
        reason=Message(
            "it cannot be read as {declared_format}: its header is damaged or it is truncated.",
            declared_format=declared_format,
        )
    )


def _check_report(report: Mapping[str, object], declared_format: str) -> None:
    if report.get("format") != declared_format:
        raise ImageRefused(
            reason=Message(
                "it was declared as {declared_format}, but is something else.", declared_format=declared_format
            )
        )
    if any(key.startswith(("backing-", "full-backing-")) for key in report):
        raise ImageRefused(reason=Message("it refers to a backing file."))
    if report.get("encrypted"):
        raise ImageRefused(reason=Message("it is encrypted."))
    if report.get("snapshots"):
        raise ImageRefused(reason=Message("it contains internal snapshots. Remove them with qemu-img convert."))
    if declared_format == QCOW2:
        _check_qcow2_report(report.get("format-specific"))


def _check_qcow2_report(specific: object) -> None:
    data = specific.get("data") if isinstance(specific, dict) else None
    if not isinstance(data, dict):
        raise ImageRefused(reason=Message("its qcow2 features cannot be read."))
    for feature, value in data.items():
        if value not in QCOW2_FEATURES.get(feature, ()):
            raise ImageRefused(reason=Message("its qcow2 feature {feature} is not accepted.", feature=feature))


def _virtual_size(report: Mapping[str, object]) -> int:
    size = report.get("virtual-size")
    limit_gib: int = settings.IMAGE_MAX_VIRTUAL_GIB
    if not isinstance(size, int) or size < SECTOR_BYTES:
        raise ImageRefused(reason=Message("its disk has no size."))
    if size > limit_gib * GIB:
        raise ImageRefused(
            reason=Message("its disk is larger than {limit_gib} GiB, which is the limit here.", limit_gib=limit_gib)
        )
    return size
