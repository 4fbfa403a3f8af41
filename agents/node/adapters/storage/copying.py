"""Copies of whole volumes by qemu-img. Formats are always given, never guessed: content may look like another format.

A key is given in a file that is in memory alone, and that no other process can open by name.
"""

import os
import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from agents.node import process
from agents.node.adapters.interfaces import BaseImage, GuestDisk
from agents.node.adapters.storage import files, monitors
from agents.node.adapters.storage.places import RbdSource
from agents.node.errors import AdapterError, VolumeKeyMissing

PROGRESS = re.compile(rb"\((\d+)\.\d+/100%\)")
SILENT_S = 600.0  # QEMU waits 300 s for a cluster
HUNDREDTH = 100  # a copy prints its progress after each percent
SLOWEST_BYTES_PER_S = 20 * 10**6  # that a copy without a limit may take, as the deadline of a move allows


@dataclass(frozen=True, slots=True)
class Copying:
    """Terms of a copy of a volume.

    `base`: the image that the source is a layer over. `max_bytes_per_s` 0: no limit. `on_progress` gets percents.
    """

    size_bytes: int
    base: BaseImage | None
    max_bytes_per_s: int
    on_progress: Callable[[int], None]
    is_stopped: Callable[[], bool]


@dataclass(frozen=True, slots=True)
class CopyKeys:
    """The keys of the disks that are in Ceph clusters; each opens one of the two."""

    source: bytes | None = None
    target: bytes | None = None


def copy_disk(source: GuestDisk, target: GuestDisk, copying: Copying, *, keys: CopyKeys, is_empty: bool) -> None:
    """Copy the content of a disk into another one of its size, and flush it.

    `is_empty`: the target is new, so that holes need not be written.

    Raises:
        VolumeKeyMissing: of a disk in a Ceph cluster.
        AdapterError: qemu-img failed, or was stopped.
    """
    for disk, key in ((source, keys.source), (target, keys.target)):
        if disk.rbd is not None:
            monitors.check(disk.rbd.monitors)
            if key is None:
                raise VolumeKeyMissing(disk.volume_id)
    with _secret("source", keys.source) as (of_source, first), _secret("target", keys.target) as (of_target, second):
        secrets, descriptors = [*of_source, *of_target], (*first, *second)
        holes = ["--target-is-zero"] if is_empty else []
        ends = (_options(source, secret="source"), _options(target, secret="target"))
        _convert([*secrets, *holes, "--", *ends], copying, descriptors=descriptors)


def send_disk(source: GuestDisk, server: Path, copying: Copying) -> None:
    """Write the content of a disk that is a file to the socket of `serve_disk`, whose disk is empty, and flush it.

    Raises:
        AdapterError: qemu-img failed, or was stopped.
    """
    target = f"driver=nbd,server.type=unix,server.path={_quoted(server)}"
    _convert(["--target-is-zero", "--", _options(source, secret=""), target], copying)


def serve_disk(disk: GuestDisk, at: Path, *, user: int | None) -> "subprocess.Popen[bytes]":
    """Serve the content of a whole disk that is a file to one connection at the socket, and end with it.

    `user`: owns the file and the socket's folder, and runs the server. None: the agent does.
    """
    ways = ["--discard=unmap", "--detect-zeroes=unmap", "--cache=writeback", "--shared=1"]
    command = ["qemu-nbd", f"--socket={at}", *ways, "--image-opts", _options(disk, secret="")]
    return process.start(command, user=user)


def _convert(options: Sequence[str], copying: Copying, *, descriptors: Sequence[int] = ()) -> None:
    rate = ["-r", str(copying.max_bytes_per_s)] if copying.max_bytes_per_s else []
    formats = ["--image-opts", "--target-image-opts", "-n"]
    process.follow(
        ["qemu-img", "convert", "-p", "-t", "writeback", *rate, *formats, *options],
        on_output=lambda text: _report(text, copying),
        is_stopped=copying.is_stopped,
        descriptors=descriptors,
        silent_s=silent_s(copying.size_bytes, copying.max_bytes_per_s),
    )


def silent_s(size_bytes: int, max_bytes_per_s: int) -> float:
    """Return the seconds without progress after which a copy has failed: for one percent, and SILENT_S for delays."""
    slowest = min(max_bytes_per_s or SLOWEST_BYTES_PER_S, SLOWEST_BYTES_PER_S)
    return SILENT_S + size_bytes / HUNDREDTH / slowest


def copy_to_qcow2(disk: GuestDisk, key: bytes | None, unfinished: Path, final: Path, copying: Copying) -> None:
    """Copy the disk into a new file, which gets its name when it is whole. `key`: of a disk in a Ceph cluster."""
    try:
        unfinished.unlink(missing_ok=True)
        files.create_qcow2(unfinished, copying.size_bytes)
        target = GuestDisk(disk.volume_id, unfinished)
        copy_disk(disk, target, copying, keys=CopyKeys(source=key), is_empty=True)
        unfinished.chmod(0o600)
        files.publish(unfinished, final)
    finally:
        unfinished.unlink(missing_ok=True)


@contextmanager
def _secret(name: str, key: bytes | None) -> Iterator[tuple[list[str], tuple[int, ...]]]:
    """Return the options of the secret object with the key, and the descriptors that it needs."""
    if key is None:
        yield [], ()
        return
    descriptor = os.memfd_create("key")
    try:
        os.write(descriptor, key)
        yield ["--object", f"secret,id={name},file=/dev/fd/{descriptor},format=raw"], (descriptor,)
    finally:
        os.close(descriptor)


def _report(text: bytes, copying: Copying) -> None:
    if found := PROGRESS.findall(text):
        copying.on_progress(int(found[-1]))


def _options(disk: GuestDisk, *, secret: str) -> str:
    """Return the disk as QEMU's options. A layer is read through its image, whose format is given too."""
    if disk.rbd is not None:
        return ",".join(("driver=raw", *_rbd(disk.rbd, secret=secret)))
    if disk.path is None:
        raise AdapterError(f"Volume {disk.volume_id} is neither a file nor in a cluster.", retryable=False)
    options = ["driver=qcow2", "file.driver=file", f"file.filename={_quoted(disk.path)}"]
    if disk.image is None:
        files.check_whole(disk.path)
        return ",".join(options)
    backing = [f"backing.driver={disk.image_format.value}", "backing.file.driver=file"]
    return ",".join([*options, *backing, f"backing.file.filename={_quoted(disk.image)}"])


def _rbd(source: RbdSource, *, secret: str) -> Iterator[str]:
    yield "file.driver=rbd"
    yield f"file.pool={source.pool}"
    yield f"file.image={source.image}"
    yield f"file.user={source.client}"
    yield f"file.key-secret={secret}"
    yield "file.auth-client-required.0=cephx"
    for number, monitor in enumerate(source.monitors):
        host, port = monitors.address(monitor)
        yield f"file.server.{number}.host={host}"
        yield f"file.server.{number}.port={port}"


def _quoted(path: os.PathLike[str]) -> str:
    return os.fspath(path).replace(",", ",,")
