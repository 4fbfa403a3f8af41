"""The moment in which a guest is handed over: from its pause at the source until it is resumed at the destination.

    QEMU stops the guest ─ last pages ─ FINISH ─ the agent kills QEMU ─ (libvirt notices) ─ libvirt undefines it
              └ its connections are sent               └ that is recorded ─ the destination resumes it

FINISH: the destination's libvirt says that it has the whole guest, and from then on this libvirt ends QEMU in every
case. It asks QEMU to end, which takes some 25 ms, and looks for the end five times a second. The agent kills QEMU at
once: it has closed its files and has nothing to write. Its processors are stopped, and the kernel lets no thread of a
killed process go on, so the guest runs nowhere, though the kernel takes 20 ms to remove the process. Its destination
has all of it, and nothing starts it here: the agent has recorded that it was handed over, before the destination learns
of it.

A QEMU with disks in a Ceph cluster is asked to end, as by libvirt, and waited for: killed, it would leave the exclusive
locks of its images behind, which its successor may not break. The successor's writes would wait until the control plane
has the source fenced, and fail after some 20 seconds.
"""

import logging
import os
import select
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from uuid import UUID

from agents.node.adapters.interfaces import guest_name
from agents.node.adapters.migration_tunnel.proxy import TunnelProxy
from agents.node.errors import AdapterError

log = logging.getLogger(__name__)

PID_FOLDER = Path("/run/libvirt/qemu")
LOOK_S = 0.02


class GuestProcess:
    """The QEMU of a guest that runs here."""

    def __init__(self, pidfd: int) -> None:
        self._pidfd = pidfd

    @classmethod
    def find(cls, guest_id: UUID, *, folder: Path = PID_FOLDER) -> "GuestProcess | None":
        """Return the process; None if it is not found."""
        file = folder / f"{guest_name(guest_id)}.pid"
        try:
            pid = int(file.read_text())
            process = cls(os.pidfd_open(pid))
        except (OSError, ValueError):
            return None
        command = b""
        with suppress(OSError):  # it has ended
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        if f"guest={guest_name(guest_id)},".encode() in command:
            return process
        process.close()
        return None

    def has_ended(self, *, within_s: float) -> bool:
        return bool(select.select([self._pidfd], [], [], within_s)[0])

    def terminate(self) -> None:
        """Ask the process to close its disks and end. A refusal is logged: libvirt ends it as well, only later."""
        self._send(signal.SIGTERM)

    def kill(self) -> bool:
        """Kill the process; returns whether no thread of it carries out an instruction any more.

        The kernel does not return from a system call to a killed process. A refusal is logged, as of `terminate`.
        """
        return self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> bool:
        """Send the signal; returns whether the process has it, or has ended."""
        try:
            with suppress(ProcessLookupError):  # it has ended
                signal.pidfd_send_signal(self._pidfd, number)
        except OSError as exc:
            log.warning("guest process not ended", extra={"facts": {"signal": number.name, "problem": str(exc)}})
            return False
        return True

    def close(self) -> None:
        os.close(self._pidfd)


class Handover:
    """Hands over one guest in a thread of its own, from its creation until `confirm` or `give_up`.

    `process`: the guest's QEMU; None: its end is what `confirm` reports. `has_locks`: it has disks in a Ceph cluster.
    `read_connections`: returns the guest's entries of the connection tracking table, as they travel. `record`: stores
    that the guest was handed over.
    """

    def __init__(
        self,
        guest_id: UUID,
        proxy: TunnelProxy,
        process: GuestProcess | None,
        *,
        has_locks: bool,
        read_connections: Callable[[], bytes],
        record: Callable[[], None],
    ) -> None:
        self._guest_id = guest_id
        self._proxy = proxy
        self._process = process
        self._has_locks = has_locks
        self._read_connections = read_connections
        self._record = record
        self._paused, self._over = threading.Event(), threading.Event()
        self._is_confirmed = self._has_resumed = self._is_gone = False
        self.woken_at = 0.0
        self._thread = threading.Thread(target=self._run, name="handover", daemon=True)
        self._thread.start()

    def paused(self) -> None:
        """Take note that libvirt has paused the guest for the end of the migration."""
        self._paused.set()

    def resumed(self) -> None:
        """Take note that the guest goes on here: it is gone only if libvirt says so."""
        self._has_resumed = True

    def confirm(self) -> None:
        """Hand the guest over, since libvirt says that it is gone here; returns when that is done."""
        self._is_confirmed = True
        self._over.set()
        self._paused.set()
        self._thread.join()

    def give_up(self) -> bool:
        """End, since libvirt says that the migration has failed; returns whether the guest was handed over before."""
        self._over.set()
        self._paused.set()
        self._thread.join()
        return self._is_gone

    def _run(self) -> None:
        try:
            self._paused.wait()
            if self._is_confirmed or not self._over.is_set():
                self._send_connections()
            if self._is_to_resume():
                self._resume()
        finally:
            if self._process is not None:
                self._process.close()

    def _send_connections(self) -> None:
        try:
            block = self._read_connections()
            if block:
                self._proxy.send_connections(block)
        except AdapterError as exc:
            facts = {"id": self._guest_id, "problem": exc.message}
            log.warning("connections of the guest not sent", extra={"facts": facts})
        except Exception:  # the guest must go on, without them
            log.exception("connections of the guest not sent", extra={"facts": {"id": self._guest_id}})

    def _is_to_resume(self) -> bool:
        """Wait until the guest is gone here; False if it stays."""
        if self._end_before_libvirt() and self._is_recorded():
            return True
        self._over.wait()
        return self._is_confirmed

    def _end_before_libvirt(self) -> bool:
        """End QEMU while libvirt ends the migration; False if libvirt has ended it, or the guest went on here."""
        while self._process is not None and not self._is_left_to_libvirt():
            if not self._proxy.is_whole.wait(LOOK_S) or self._is_left_to_libvirt():
                continue
            if self._has_locks:
                return self._is_terminated(self._process)
            if self._process.kill() or self._process.has_ended(within_s=LOOK_S):
                return not self._has_resumed
        return False

    def _is_terminated(self, process: GuestProcess) -> bool:
        """End QEMU by its own hand; False as of `_end_before_libvirt`."""
        process.terminate()
        while not process.has_ended(within_s=LOOK_S):
            if self._is_left_to_libvirt():
                return False
        return not self._has_resumed

    def _is_left_to_libvirt(self) -> bool:
        return self._over.is_set() or self._has_resumed

    def _is_recorded(self) -> bool:
        try:
            self._record()
        except Exception:
            log.exception("handover not recorded")  # libvirt's word is waited for
            return False
        self._is_gone = True
        return True

    def _resume(self) -> None:
        try:
            self._proxy.wake()
        except AdapterError as exc:  # the guest has arrived, and its adoption wakes it
            log.warning("guest resume failed", extra={"facts": {"id": self._guest_id, "problem": exc.message}})
        self.woken_at = time.monotonic()
