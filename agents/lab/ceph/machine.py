"""Requirements of a cluster: programs, bindings, memory and disk."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import psutil

PROGRAMS = ("ceph-mon", "ceph-osd", "ceph-authtool", "monmaptool")
BINDINGS = ("rados", "rbd")
MIB, GIB = 2**20, 2**30
# The daemons of a cluster with one OSD take half of it; the rest is for what they send and receive.
MEMORY_MIN_MIB = 512


def obstacle(folder: Path, *, data_gib: int) -> str:
    """Return why a cluster of one OSD for so much data does not fit on the file system of `folder`; "" if it does."""
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        return f"{', '.join(missing)} are not installed: run make setup as root"
    if any(importlib.util.find_spec(name) is None for name in BINDINGS):
        return "Python lacks Ceph's bindings, which Debian builds for its own Python: run make setup without PYTHON"
    memory_mib = psutil.virtual_memory().available // MIB
    if memory_mib < MEMORY_MIN_MIB:
        return f"{memory_mib} MiB of memory are free, and it needs {MEMORY_MIN_MIB}"
    free_gib = shutil.disk_usage(folder).free / GIB
    if free_gib < data_gib:
        return f"{free_gib:.1f} GiB are free in {folder}, and its pool takes up to {data_gib} GiB"
    return ""
