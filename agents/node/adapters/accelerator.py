"""Choose KVM or TCG by running a guest, since a host may offer /dev/kvm under which no guest survives."""

import json
import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path
from tempfile import NamedTemporaryFile

from agents.node import process
from agents.node.adapters import probe_rom
from agents.node.domain_xml import VirtType
from agents.node.errors import AdapterError

log = logging.getLogger(__name__)

QEMU = "qemu-system-x86_64"
PROBE_TIMEOUT_S = 3.0  # the loop takes some 50 ms of real execution, many seconds of emulation
EMULATED_TIMEOUT_S = 60.0  # half a second on a machine that has nothing else to do
DEVICE = Path("/dev/kvm")


def probe_kvm() -> str:
    """Run a probe guest under KVM; returns an empty text when it ran to its end, else the problem."""
    return runs_guests("kvm", cpu="host")


class Accelerator:
    """The accelerator of new guests. `wanted` is "kvm" or "qemu" when the operator has decided, else "auto".

    `probe_kvm` runs a probe guest under KVM.
    """

    def __init__(
        self, state_dir: Path, *, requested: str, boot_id: str, probe_kvm: Callable[[], str] = probe_kvm
    ) -> None:
        self._probe_kvm = probe_kvm
        self._cache = state_dir / "accelerator.json"
        self._is_forced = requested != "auto"
        self._key = ""
        self._lock = threading.Lock()
        if requested == "auto":
            self._key = f"{boot_id} {_qemu_version()}"
            self._verdict = self._cached() or self._proved()
        else:
            self._verdict = "kvm" if requested == "kvm" else "qemu"

    @property
    def virt_type(self) -> VirtType:
        return "kvm" if self._verdict == "kvm" else "qemu"

    def probe(self) -> str:
        """Run a probe guest now; returns an empty text when it ran to its end, else the problem."""
        if self._verdict == "kvm":
            return self._probe_kvm()
        return runs_guests("tcg", cpu="max", timeout_s=EMULATED_TIMEOUT_S)

    def give_up_kvm(self, reason: str) -> bool:
        """Use TCG until the next boot: a guest has died under KVM although the probe did not.

        Returns False when the operator has set KVM, or when it was given up before.
        """
        with self._lock:
            if self._is_forced or self._verdict != "kvm":
                return False
            self._verdict = "qemu"
            self._remember(reason)
        return True

    def _cached(self) -> str | None:
        """Return the cached verdict, which is valid until the node reboots or QEMU is upgraded."""
        try:
            cached = json.loads(self._cache.read_text())
        except (FileNotFoundError, ValueError):
            return None
        if not isinstance(cached, dict) or cached.get("key") != self._key:
            return None
        return str(cached.get("virt_type"))

    def _proved(self) -> str:
        if not os.access(DEVICE, os.R_OK | os.W_OK):
            self._verdict, reason = "qemu", f"{DEVICE} is missing or closed to the agent."
        else:
            problem = self._probe_kvm()
            self._verdict, reason = ("qemu", problem) if problem else ("kvm", "A probe guest ran.")
        self._remember(reason)
        return self._verdict

    def _remember(self, reason: str) -> None:
        facts = {"key": self._key, "virt_type": self._verdict, "reason": reason}
        unfinished = self._cache.with_suffix(".unfinished")
        unfinished.write_text(json.dumps(facts))
        unfinished.rename(self._cache)
        log.info("accelerator selected", extra={"facts": facts})


def runs_guests(accelerator: str, *, cpu: str, timeout_s: float = PROBE_TIMEOUT_S) -> str:
    """Run a probe guest under "kvm" or "tcg"; returns an empty text when it ran to its end, else the problem."""
    with NamedTemporaryFile(suffix=".rom") as rom:
        rom.write(probe_rom.build())
        rom.flush()
        machine = ["-machine", "pc", "-accel", accelerator, "-cpu", cpu, "-m", "16", "-nodefaults", "-no-reboot"]
        silent = ["-display", "none", "-serial", "null", "-monitor", "none"]
        end = ["-bios", rom.name, "-device", "isa-debug-exit,iobase=0xf4,iosize=1"]
        try:
            done = process.run([QEMU, *machine, *silent, *end], timeout_s=timeout_s, check=False)
        except AdapterError as exc:
            return exc.message
    if done.returncode == probe_rom.EXIT_STATUS:
        return ""
    return f"The probe guest ended with {done.returncode}: {done.stderr[-300:]}"


def _qemu_version() -> str:
    return process.run([QEMU, "--version"]).stdout.decode(errors="replace").splitlines()[0]
