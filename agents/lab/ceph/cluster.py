"""One Ceph cluster in a folder: a monitor and OSDs, which are processes of this machine.

Everything that belongs to it is found by the folder's path: its files are there, and its processes have its ceph.conf
in their command line. So `stop` and `remove` also find what a killed program has left.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import socket
import subprocess
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from agents.lab.ceph import config, keys
from agents.lab.ceph.config import MON_PORT, POOL, ClusterPlan, Store
from agents.lab.process import end_process
from agents.lab.shell import PATIENCE_S, LabError, run, wait_until

MON = "mon.a"
PROGRAMS = {"mon": "ceph-mon", "osd": "ceph-osd"}
LOCK = "lock"
LOG_TAIL_BYTES = 2000


class CephCluster:
    """The cluster in `folder`. Making the object changes nothing; `start` does."""

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder).resolve()
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def conf(self) -> Path:
        """Return the ceph.conf for clients; it names the keyring of client.admin."""
        return config.conf_file(self.folder)

    @property
    def plan(self) -> ClusterPlan | None:
        """Return what `start` has made; None before it is complete."""
        return ClusterPlan.load(self.folder)

    @property
    def own_address(self) -> str:
        """Return a loopback address that belongs to the folder, so that clusters do not take each other's ports."""
        second, third, fourth = hashlib.sha256(str(self.folder).encode()).digest()[:3]
        return f"127.{second}.{third}.{max(2, min(fourth, 254))}"

    def start(self, *, address: str | None = None, osds: int = 1, store: Store = Store.MEMORY) -> None:
        """Start what does not run, and return when RBD answers. `address`: IPv4, by default `own_address`.

        Daemons are in the caller's network namespace; those of an earlier start in another one end first. What a killed
        start has left is made anew, and so is a cluster with its objects in memory when an OSD has ended.

        Raises:
            LabError: a daemon ended (its last words are in the message), or the folder holds another kind of cluster,
                or other files.
        """
        self._check_folder()
        with self._locked():
            self._end([pid for pid in self.pids() if _network_of(pid) != _network_of("self")])
            wanted = ClusterPlan(address or self.own_address, osds, store, str(uuid.uuid4()))
            plan = self._usable_plan(wanted)
            if plan is None:
                self._make(wanted)
            self._run(plan or wanted)
            if plan is None:
                self._make_pool()
                wanted.save(self.folder)

    def stop(self) -> None:
        """End every process at once (SIGKILL), as a power cut does. Stores in files keep their data."""
        self._end(self.pids())

    def remove(self) -> None:
        """Run `stop` and delete the folder. Raises LabError: it holds other files."""
        self._check_folder()
        self.stop()
        self._empty()  # the lock goes last: a removal that was killed can be repeated
        shutil.rmtree(self.folder, ignore_errors=True)

    def pids(self, daemon: str | None = None) -> list[int]:
        """Return the processes of one daemon ("mon.a", "osd.0"), or all that the cluster has."""
        if daemon is not None:
            return [pid for pid, argv in _processes() if argv == self._command(daemon)]
        return [pid for pid, argv in _processes() if argv[0] in PROGRAMS.values() and str(self.conf) in argv]

    def daemons(self) -> list[str]:
        """Return the names of all daemons, running or not."""
        return [MON, *(f"osd.{number}" for number in range(self._known_plan().osds))]

    def kill(self, daemon: str) -> None:
        """End one daemon with SIGKILL."""
        self._end(self.pids(daemon))

    def start_osd(self, number: int) -> None:
        """Start an OSD that ended, and return when the monitor has it in its map; its store must be a file."""
        if self._known_plan().store is Store.MEMORY:
            raise LabError(f"The objects of osd.{number} were in its memory: start the cluster anew.")
        self._boot_osds([number])

    @contextmanager
    def client(self, *, limit_s: int = PATIENCE_S) -> Iterator[Any]:
        """Return a connection (`rados.Rados`) as client.admin, whose calls fail after `limit_s`: without a limit of
        their own they wait for a lost cluster for ever.
        """
        import rados  # Debian's: the lab's other commands work without it

        limits = ("client_mount_timeout", "rados_mon_op_timeout", "rados_osd_op_timeout")
        connection = rados.Rados(
            name="client.admin", conffile=str(self.conf), conf={limit: str(limit_s) for limit in limits}
        )
        try:
            connection.connect()
            yield connection
        finally:
            connection.shutdown()

    def command(self, prefix: str, **arguments: object) -> Any:
        """Send the monitor a command, and return its answer, decoded if it is JSON.

        Raises:
            LabError: the monitor refused.
        """
        with self.client() as connection:
            return _command(connection, prefix, **arguments)

    def _usable_plan(self, wanted: ClusterPlan) -> ClusterPlan | None:
        plan = self.plan
        if plan is None:
            return None
        if (plan.address, plan.osds, plan.store) != (wanted.address, wanted.osds, wanted.store):
            raise LabError(
                f"The cluster in {self.folder} has {plan.osds} OSDs ({plan.store}) at {plan.address}: remove it first,"
                " or start it with the same options."
            )
        is_lost = plan.store is Store.MEMORY and not all(self.pids(daemon) for daemon in self.daemons())
        return None if is_lost else plan

    def _make(self, plan: ClusterPlan) -> None:
        """Make keys and empty stores; what was in the folder goes."""
        ClusterPlan.forget(self.folder)
        self.stop()
        self._empty()
        for name in ("log", "crash"):
            (self.folder / name).mkdir()
        config.write(self.folder, plan)
        seed = keys.make(self.folder, osds=plan.osds)
        monmap = self.folder / "monmap"
        maker = ["monmaptool", "--create", "--fsid", plan.fsid, "--set-min-mon-release", "reef"]
        run([*maker, "--addv", "a", f"[v2:{plan.address}:{MON_PORT}]", str(monmap)])
        self._mkfs(MON, "--monmap", str(monmap), "--keyring", str(seed))
        seed.unlink()

    def _empty(self) -> None:
        """Delete what is in the folder, but for the lock, which says whose folder it is."""
        for path in self.folder.glob("*"):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            elif path.name != LOCK:
                path.unlink(missing_ok=True)

    def _mkfs(self, daemon: str, *options: str) -> None:
        program, number = _program(daemon)
        run([program, "--conf", str(self.conf), "--id", number, "--mkfs", *options])

    def _run(self, plan: ClusterPlan) -> None:
        if not self.pids(MON):
            self._launch(MON)
        self._until(lambda: _listens(plan.address), what="the monitor to listen")
        if self.plan is None:
            self._register_osds(plan)
        self._boot_osds(number for number in range(plan.osds) if not self.pids(f"osd.{number}"))

    def _register_osds(self, plan: ClusterPlan) -> None:
        """Make the OSDs' stores, and tell the monitor of each; it has their keys already."""
        with self.client() as connection:
            for number in range(plan.osds):
                own = str(uuid.uuid4())
                self._mkfs(f"osd.{number}", "--osd-uuid", own, "--no-mon-config")
                _command(connection, "osd new", uuid=own, id=number)

    def _boot_osds(self, numbers: Iterable[int]) -> None:
        """Start OSDs, and wait until the monitor has each in a newer map: one that died may be up in the old map."""
        wanted = set(numbers)
        with self.client() as connection:
            before = _up_since(connection)
            for number in sorted(wanted):
                self._launch(f"osd.{number}")

            def are_up() -> bool:
                now = _up_since(connection)
                return all(now.get(number, 0) > before.get(number, 0) for number in wanted)

            self._until(are_up, what="OSDs to come up")

    def _make_pool(self) -> None:
        """Make the pool for RBD; it is written to, and so the cluster works."""
        import rbd  # see client()

        with self.client() as connection:
            _command(connection, "osd pool create", pool=POOL)
            with connection.open_ioctx(POOL) as ioctx:
                rbd.RBD().pool_init(ioctx, True)

    def _launch(self, daemon: str) -> None:
        """Start a daemon in a session of its own: it outlives the caller."""
        with self._output(daemon).open("wb") as output:
            child = subprocess.Popen(
                self._command(daemon),
                cwd="/",  # Debian's OSD looks for its classes, RBD's among them, in a relative folder
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._children[daemon] = child

    def _command(self, daemon: str) -> list[str]:
        program, number = _program(daemon)
        return [program, "--conf", str(self.conf), "--id", number, "--foreground"]

    def _until(self, holds: Callable[[], bool], *, what: str) -> None:
        def holds_or_is_in_vain() -> bool:
            for daemon, child in self._children.items():
                if child.poll() is not None:
                    words = self._output(daemon).read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace")
                    ended = f"{daemon} of the cluster in {self.folder} ended with {child.returncode}"
                    raise LabError(f"{ended}: {words.strip()}", daemon=daemon)
            return holds()

        wait_until(holds_or_is_in_vain, what=what)

    def _output(self, daemon: str) -> Path:
        return self.folder / "log" / f"{daemon}.out"

    def _end(self, pids: list[int]) -> None:
        for pid in pids:
            end_process(pid)
        self._children = {daemon: child for daemon, child in self._children.items() if child.poll() is None}

    def _check_folder(self) -> None:
        """Check that the folder is a cluster's, since all that is in it is deleted."""
        if self.folder.exists() and any(self.folder.iterdir()) and not (self.folder / LOCK).exists():
            raise LabError(f"{self.folder} holds other files than a Ceph cluster's. Name a folder of its own.")

    def _known_plan(self) -> ClusterPlan:
        plan = self.plan
        if plan is None:
            raise LabError(f"There is no Ceph cluster in {self.folder}.")
        return plan

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self.folder / LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _program(daemon: str) -> tuple[str, str]:
    """Split "osd.0" into its program and its id."""
    kind, number = daemon.split(".")
    return PROGRAMS[kind], number


def _processes() -> Iterator[tuple[int, list[str]]]:
    """List the machine's processes with their command lines."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_text(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        yield int(folder.name), line.removesuffix("\0").split("\0")


def _network_of(pid: int | str) -> str | None:
    """Return the network namespace of a process; None if it has ended."""
    try:
        return os.readlink(f"/proc/{pid}/ns/net")
    except FileNotFoundError:
        return None


def _listens(address: str) -> bool:
    try:
        socket.create_connection((address, MON_PORT), timeout=1).close()
    except OSError:
        return False
    return True


def _command(connection: Any, prefix: str, **arguments: object) -> Any:
    words = json.dumps({"prefix": prefix, "format": "json", **arguments})
    code, answer, remark = connection.mon_command(words, b"")
    if code != 0:
        raise LabError(f"Ceph refused {prefix!r}: {remark} (error {-code})", prefix=prefix)
    return json.loads(answer) if answer.strip() else None


def _up_since(connection: Any) -> dict[int, int]:
    """Return for each OSD that is up the version of the map that says so first."""
    return {osd["osd"]: osd["up_from"] for osd in _command(connection, "osd dump")["osds"] if osd["up"]}
