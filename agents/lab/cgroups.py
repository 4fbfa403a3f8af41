"""Control groups of one node: a subtree of the machine's, in which the node sees itself at the root.

Two layouts exist. With version 1 every controller has a hierarchy of its own and processes may be anywhere. With
version 2 there is one hierarchy, and a group whose children have controllers holds no processes itself: the node's
processes are in a leaf next to those of its guests.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

V1_CONTROLLERS = frozenset({"cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids"})
V2_CONTROLLERS = ("cpu", "cpuset", "io", "memory", "pids")
LEAF = "init"


@dataclass(frozen=True)
class Hierarchy:
    """A mounted cgroup file system; `controllers` is empty for version 2."""

    mount: Path
    controllers: tuple[str, ...] = ()

    @property
    def is_v2(self) -> bool:
        return not self.controllers


def hierarchies(mounts: str | None = None) -> list[Hierarchy]:
    """Return the hierarchies that libvirt uses on this machine: all of version 1, or the one of version 2."""
    v1, v2 = [], []
    for line in (mounts or Path("/proc/mounts").read_text()).splitlines():
        _, where, kind, options, *_ = line.split()
        controllers = tuple(o for o in options.split(",") if o in V1_CONTROLLERS)
        if kind == "cgroup" and controllers:
            v1.append(Hierarchy(Path(where), controllers))
        elif kind == "cgroup2":
            v2.append(Hierarchy(Path(where)))
    return v1 or v2[:1]


class Cgroups:
    """The groups at `path` ("lab-1a2b3c/hv1") below the root of every hierarchy."""

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        self.hierarchies = hierarchies()

    def create(self) -> None:
        """Make the groups anew. The node must be off: the remains of an earlier run are removed."""
        self.remove()
        for hierarchy in self.hierarchies:
            for group in self._lineage(hierarchy):
                group.mkdir(exist_ok=True)
                if "cpuset" in hierarchy.controllers:
                    _inherit_cpuset(group)
                if hierarchy.is_v2:
                    _hand_down_controllers(group.parent)

    def enter_leaf(self) -> None:
        """With version 2, move the node's processes into their leaf, so that guests can have controllers."""
        for hierarchy in self.hierarchies:
            if hierarchy.is_v2:
                group = hierarchy.mount / self.path
                (group / LEAF).mkdir(exist_ok=True)
                while pids := _read_pids(group):  # until none is born outside the leaf any more
                    for pid in pids:
                        _move(pid, group / LEAF)
                _hand_down_controllers(group)

    def entrances(self) -> list[Path]:
        """Return the files into which a process writes 0 to join the node."""
        groups = [h.mount / self.path for h in self.hierarchies]
        return [(g / LEAF if (g / LEAF).is_dir() else g) / "cgroup.procs" for g in groups]

    def pids(self) -> set[int]:
        """Return every process of the subtree, as the reader's pid namespace numbers them."""
        return {pid for group in self._subtree() for pid in _read_pids(group)}

    def remove(self) -> bool:
        """Remove the empty groups of the subtree, deepest first; return whether none is left."""
        for group in self._subtree():
            try:
                group.rmdir()
            except OSError as exc:
                if exc.errno not in (errno.EBUSY, errno.ENOTEMPTY, errno.ENOENT):
                    raise
        return not any(self._subtree())

    def existing(self) -> list[str]:
        return [str(group) for group in self._subtree()]

    def _lineage(self, hierarchy: Hierarchy) -> list[Path]:
        parts = self.path.parts
        return [hierarchy.mount.joinpath(*parts[: i + 1]) for i in range(len(parts))]

    def _subtree(self) -> Iterator[Path]:
        for hierarchy in self.hierarchies:
            for folder, _, _ in os.walk(hierarchy.mount / self.path, topdown=False):
                yield Path(folder)


def root_controllers() -> list[str]:
    """Return the controllers that the root of version 2 delegates; empty with version 1."""
    return [
        name
        for hierarchy in hierarchies()
        if hierarchy.is_v2
        for name in (hierarchy.mount / "cgroup.subtree_control").read_text().split()
    ]


def withdraw_root_controllers(*, except_for: list[str]) -> None:
    """Stop delegating the controllers that were not delegated before, unless others use them now."""
    for hierarchy in hierarchies():
        for name in set(root_controllers()) & set(V2_CONTROLLERS) - set(except_for):
            try:
                (hierarchy.mount / "cgroup.subtree_control").write_text(f"-{name}")
            except OSError as exc:
                if exc.errno != errno.EBUSY:
                    raise


def _read_pids(group: Path) -> list[int]:
    try:
        return [int(pid) for pid in (group / "cgroup.procs").read_text().split()]
    except OSError as exc:
        if exc.errno in (errno.ENOENT, errno.ENODEV):
            return []  # removed while we read
        if exc.errno == errno.EOPNOTSUPP:
            return []  # a group of threads, whose processes are listed further up
        raise


def _move(pid: int, group: Path) -> None:
    try:
        (group / "cgroup.procs").write_text(str(pid))
    except ProcessLookupError:
        return  # it has ended meanwhile


def _inherit_cpuset(group: Path) -> None:
    """Copy the parent's cpuset: a new cpuset of version 1 is empty, and no process can join an empty one."""
    for name in ("cpuset.cpus", "cpuset.mems"):
        (group / name).write_text((group.parent / name).read_text())


def _hand_down_controllers(group: Path) -> None:
    offered = (group / "cgroup.controllers").read_text().split()
    enabled = (group / "cgroup.subtree_control").read_text().split()
    for name in V2_CONTROLLERS:
        if name in offered and name not in enabled:
            (group / "cgroup.subtree_control").write_text(f"+{name}")
