"""The guest images of the lab, built from Debian's packages: `tiny` boots fast, `debian-13` is complete.

Both are qcow2 disks for a PC's BIOS with a serial console on ttyS0, and read a NoCloud seed.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from agents.lab.images import debian, kernel, stamp, tiny
from agents.lab.shell import LabError, step

# A builder writes a qcow2 file, using the second argument as its scratch folder.
BUILDERS: dict[str, Callable[[Path, Path], None]] = {"tiny": tiny.build, "debian-13": debian.build}


def build(name: str, out: Path) -> None:
    """Build the image `name` in `out` unless it is up to date with the sources and the installed kernel package.

    The stamp beside the image shows its sources. Other processes may build the same file at the same time.

    Raises:
        LabError: there is no image of this name, or a tool failed; `out` is as it was.
    """
    if name not in BUILDERS:
        raise LabError(f"There is no image {name!r}; there are: {', '.join(BUILDERS)}.", image=name)
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.with_name(out.name + ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        expected = f"{name} {stamp.sources()} {kernel.installed().version}"
        if not stamp.is_fresh(out, expected):
            with step(f"images: {name} into {out}"), tempfile.TemporaryDirectory(dir=out.parent) as scratch:
                draft = Path(scratch) / "draft.qcow2"
                BUILDERS[name](draft, Path(scratch))
                os.replace(draft, out)
            stamp.write(out, expected)
