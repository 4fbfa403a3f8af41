"""The handover of a guest: who resumes it at its destination, and when. QEMU is another process here."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from agents.lab.shell import wait_until
from agents.node.adapters.interfaces import guest_name
from agents.node.adapters.libvirt_handover import GuestProcess, Handover
from agents.node.adapters.migration_tunnel.proxy import TunnelProxy
from tests import processes
from tests.agents.test_migration_tunnel import TunnelPair, tunnel
from tests.limits import PATIENCE_S

__all__ = ["tunnel"]
WAIT = "import sys; print(flush=True); sys.stdin.read()"
# Closes its disks when it is asked to end, which takes until its input ends.
CLOSE = "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: print('asked', flush=True)); "


class AskedEvent(threading.Event):
    """Counts how often it was waited for."""

    times = 0

    def wait(self, timeout: float | None = None) -> bool:
        self.times += 1
        return super().wait(timeout)


@dataclass
class Departure:
    """A guest that is paused at the end of its migration."""

    tunnel: TunnelPair
    proxy: TunnelProxy
    folder: Path
    qemu: "subprocess.Popen[str]"
    recorded: list[list[UUID]] = field(default_factory=list)  # who was awake when the handover was recorded
    is_disk_full: bool = False
    failures: int = 0

    @property
    def woken(self) -> list[UUID]:
        return self.tunnel.target.woken

    def hand_over(self, connections: bytes = b"", *, has_locks: bool = False) -> Handover:
        process = GuestProcess.find(self.tunnel.guest_id, folder=self.folder)
        assert process is not None
        handover = Handover(
            self.tunnel.guest_id,
            self.proxy,
            process,
            has_locks=has_locks,
            read_connections=lambda: connections,
            record=self._record,
        )
        handover.paused()
        return handover

    def _record(self) -> None:
        if self.is_disk_full:
            self.failures += 1
            raise OSError("the disk is full")
        self.recorded.append(list(self.woken))

    def kill(self) -> None:
        self.qemu.kill()
        self.qemu.wait()


@pytest.fixture
def departure(tunnel: TunnelPair, tmp_path: Path) -> Iterator[Departure]:
    name = guest_name(tunnel.guest_id)
    command = [sys.executable, "-c", CLOSE + WAIT, f"guest={name},debug-threads=on"]
    with processes.running(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as qemu:
        assert qemu.stdout is not None and qemu.stdout.readline() == "\n"
        (tmp_path / f"{name}.pid").write_text(f"{qemu.pid}\n")
        proxy = tunnel.proxy()
        proxy.open_handover()
        yield Departure(tunnel, proxy, tmp_path, qemu)
        proxy.close()


def test_guest_is_resumed_when_its_process_was_killed_and_that_is_recorded(departure: Departure) -> None:
    handover = departure.hand_over(b"some")
    wait_until(lambda: departure.tunnel.target.connections == [b"some"], what="the connections")
    assert departure.qemu.poll() is None
    departure.proxy.is_whole.set()
    wait_until(lambda: departure.woken == [departure.tunnel.guest_id], what="the guest to be resumed")
    assert departure.qemu.wait() == -signal.SIGKILL
    assert departure.recorded == [[]], "before it was resumed"
    assert handover.give_up(), "whatever libvirt says of it"
    assert handover.woken_at > 0


def test_guest_with_locks_is_resumed_when_its_process_has_closed_its_disks(departure: Departure) -> None:
    handover = departure.hand_over(has_locks=True)
    departure.proxy.is_whole.set()
    assert departure.qemu.stdout is not None and departure.qemu.stdin is not None
    assert departure.qemu.stdout.readline() == "asked\n"
    assert (departure.qemu.poll(), departure.woken, departure.recorded) == (None, [], [])
    departure.qemu.stdin.close()
    wait_until(lambda: departure.woken == [departure.tunnel.guest_id], what="the guest to be resumed")
    assert (departure.qemu.wait(), departure.recorded) == (0, [[]])
    assert handover.give_up(), "whatever libvirt says of it"


def test_guest_with_locks_whose_process_does_not_end_is_left_to_libvirt(departure: Departure) -> None:
    handover = departure.hand_over(has_locks=True)
    departure.proxy.is_whole.set()
    assert departure.qemu.stdout is not None
    assert departure.qemu.stdout.readline() == "asked\n"
    handover.confirm()
    assert departure.woken == [departure.tunnel.guest_id]
    assert departure.qemu.poll() is None and not departure.recorded


def test_process_that_cannot_be_killed_is_waited_for(departure: Departure, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = threading.Event()

    def refuse(_pidfd: int, _signal: int) -> None:
        refused.set()
        raise PermissionError

    monkeypatch.setattr(signal, "pidfd_send_signal", refuse)
    departure.hand_over()
    departure.proxy.is_whole.set()
    assert refused.wait(PATIENCE_S)
    assert not departure.woken
    departure.kill()
    wait_until(lambda: departure.woken == [departure.tunnel.guest_id], what="the guest to be resumed")


def test_guest_whose_process_dies_before_the_destination_has_all_is_not_handed_over(departure: Departure) -> None:
    departure.proxy.is_whole = asked = AskedEvent()
    handover = departure.hand_over()
    departure.kill()
    before = asked.times
    wait_until(lambda: asked.times > before + 1, what="the end of the process to be of no account")
    assert not handover.give_up()
    assert (departure.woken, departure.recorded) == ([], [])


def test_guest_that_runs_on_at_its_source_is_not_handed_over(departure: Departure) -> None:
    handover = departure.hand_over()
    handover.resumed()
    departure.proxy.is_whole.set()
    assert not handover.give_up()
    assert departure.qemu.poll() is None
    assert (departure.woken, departure.recorded) == ([], [])


def test_guest_that_runs_on_while_it_is_killed_is_not_handed_over(
    departure: Departure, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its disks may have changed since the pause, and the destination's memory does not know of that."""
    kill, is_begun, has_resumed = signal.pidfd_send_signal, threading.Event(), threading.Event()

    def kill_late(pidfd: int, number: int) -> None:
        is_begun.set()
        assert has_resumed.wait(PATIENCE_S)
        kill(pidfd, number)

    monkeypatch.setattr(signal, "pidfd_send_signal", kill_late)
    handover = departure.hand_over()
    departure.proxy.is_whole.set()
    assert is_begun.wait(PATIENCE_S)
    handover.resumed()
    has_resumed.set()
    assert not handover.give_up()
    assert (departure.woken, departure.recorded) == ([], [])


class GivenUpEvent(threading.Event):
    """Is set when libvirt has just said that the migration failed."""

    def __init__(self, handover: "list[Handover]", monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        self._handover = handover
        self._is_given_up, self.outcomes = threading.Event(), list[bool]()
        self.caller = threading.Thread(target=lambda: self.outcomes.append(self._handover[0].give_up()))
        join = threading.Thread.join

        def joined(thread: threading.Thread, timeout: float | None = None) -> None:
            if thread.name == "handover":
                self._is_given_up.set()
            join(thread, timeout)

        monkeypatch.setattr(threading.Thread, "join", joined)

    def wait(self, timeout: float | None = None) -> bool:
        if self._handover and not self._is_given_up.is_set():
            self.caller.start()
            assert self._is_given_up.wait(PATIENCE_S)
            self.set()
        return super().wait(timeout)


def test_guest_of_a_migration_that_just_failed_is_not_killed(
    departure: Departure, monkeypatch: pytest.MonkeyPatch
) -> None:
    handovers: list[Handover] = []
    departure.proxy.is_whole = failed = GivenUpEvent(handovers, monkeypatch)
    handovers.append(departure.hand_over())
    wait_until(lambda: bool(failed.outcomes), what="the handover to end")
    failed.caller.join()
    assert failed.outcomes == [False]
    assert departure.qemu.poll() is None
    assert (departure.woken, departure.recorded) == ([], [])


def test_guest_is_resumed_after_libvirts_confirmation(departure: Departure) -> None:
    handover = departure.hand_over(b"some")
    handover.confirm()
    assert departure.woken == [departure.tunnel.guest_id]
    assert departure.tunnel.target.connections == [b"some"]
    assert not departure.recorded


def test_handover_that_cannot_be_recorded_waits_for_libvirt(departure: Departure) -> None:
    departure.is_disk_full = True
    handover = departure.hand_over()
    departure.proxy.is_whole.set()
    wait_until(lambda: departure.failures == 1, what="the attempt to record it")
    assert not departure.woken
    handover.confirm()
    assert departure.woken == [departure.tunnel.guest_id]


def test_process_is_only_that_of_the_guest(departure: Departure) -> None:
    stranger = uuid4()
    assert GuestProcess.find(stranger, folder=departure.folder) is None
    for text in (f"{departure.qemu.pid}\n", "none", "99999999"):  # the pid of another process by now
        (departure.folder / f"{guest_name(stranger)}.pid").write_text(text)
        assert GuestProcess.find(stranger, folder=departure.folder) is None
