"""Kernel of the guests: that of Debian's cloud kernel package that is installed on this machine."""

from __future__ import annotations

import lzma
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from agents.lab.shell import LabError, run

PACKAGE = "linux-image-cloud-amd64"
# Parameters for guests that hold nobody's secrets, and are emulated. no_timer_check: under heavy load the kernel's test
# of the emulated timer can fail, and the boot stops. The others make a boot a quarter shorter. Without those features
# of the CPU, memory is written by words: QEMU carries out `rep stosb` byte by byte. Devices are plugged by ACPI, so
# root ports need no drivers; jitterentropy collects entropy, which virtio-rng provides.
WITHOUT_KVM = (
    "no_timer_check mitigations=off cryptomgr.notests init_on_alloc=0 clearcpuid=erms,fsrm,rep_good "
    "pcie_ports=compat initcall_blacklist=jent_mod_init"
)
SIGNED = b"~Module signature appended~\n"
SIGNATURE_INFO = 12  # bytes before that mark, of which the last four say how long the signature before them is


@dataclass(frozen=True)
class Kernel:
    release: str
    """As `uname -r` shows it."""
    version: str
    """Of the package."""

    @property
    def image(self) -> Path:
        return Path(f"/boot/vmlinuz-{self.release}")

    @property
    def modules(self) -> Path:
        return Path(f"/lib/modules/{self.release}")


def installed() -> Kernel:
    """Return the installed kernel.

    Raises:
        LabError: the package is not installed.
    """
    fields = run(["dpkg-query", "--show", "--showformat", "${Version} ${Depends}", PACKAGE])
    match = re.match(r"(\S+) .*linux-image-(\d\S+)", fields)
    if match is None:
        raise LabError(f"The package {PACKAGE} names no kernel: {fields!r}")
    return Kernel(release=match[2], version=match[1])


def copy_modules(kernel: Kernel, names: Iterable[str], *, to: Path) -> None:
    """Copy modules with all dependencies into `to`, uncompressed, with a file `order` that insmod can follow."""
    needs = _dependencies(kernel)
    order: list[str] = []
    for name in names:
        if name not in needs:
            raise LabError(f"Kernel {kernel.release} has no module {name!r}.", module=name)
        # modules.dep lists what a module needs with the most basic last.
        for path in [*reversed(needs[name][1:]), needs[name][0]]:
            if path not in order:
                order.append(path)
    to.mkdir(parents=True)
    for path in order:
        module = lzma.decompress((kernel.modules / path).read_bytes())
        (to / _file_name(path)).write_bytes(without_signature(module))
    (to / "order").write_text("".join(f"{_file_name(path)}\n" for path in order))


def without_signature(module: bytes) -> bytes:
    """A module as it was before it was signed."""
    if not module.endswith(SIGNED):
        return module
    before_mark = len(module) - len(SIGNED)
    signature = int.from_bytes(module[before_mark - 4 : before_mark], "big")
    return module[: before_mark - SIGNATURE_INFO - signature]


def _dependencies(kernel: Kernel) -> dict[str, list[str]]:
    """Map each module name to its own path and the paths of all modules that it needs."""
    dependencies = {}
    for line in (kernel.modules / "modules.dep").read_text().splitlines():
        own, _, others = line.partition(":")
        dependencies[Path(own).name.split(".")[0].replace("-", "_")] = [own, *others.split()]
    return dependencies


def _file_name(path: str) -> str:
    return Path(path).name.removesuffix(".xz")
