"""One node: kernel namespaces around a pid 1, with a cable to the lab's switch.

A node that is off consists of files: its disks, its configuration, its logs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from agents.lab import config, node_init
from agents.lab.cgroups import Cgroups
from agents.lab.network import NETNS_FOLDER, Cabling
from agents.lab.process import NodeProcess, command_line_contains, command_of, end_process, pid_below
from agents.lab.shell import PATIENCE_S, LabError, step, wait_until
from agents.node.hook import script

# A unix socket's path has at most 107 bytes.
LONGEST_FOLDER = 107 - len("/run/libvirt/virtlogd-admin-sock")

# Arguments: files to write 0 into, "--", a command to become.
JOIN = 'while [ "$1" != -- ]; do echo 0 >"$1"; shift; done; shift; exec "$@"'


class LabNode:
    """A libvirt node of a lab. Made by `Lab.node()`."""

    def __init__(self, name: str, *, folder: Path, host: int, cabling: Cabling, is_guarded: bool) -> None:
        self.name = name
        self.folder = folder
        self._host = host
        self._cabling = cabling
        self._is_guarded = is_guarded
        self._cgroups = Cgroups(f"lab-{cabling.lab_id}/{name}")

    @property
    def address(self) -> str:
        """Return the IPv4 address on the underlay, reachable from the machine and from the other nodes."""
        return self._cabling.address(self._host)

    @property
    def netns(self) -> str:
        """Return the name of the network namespace, for `ip netns exec` and `ip -n` on the machine."""
        return self._cabling.namespace(self.name)

    @property
    def libvirt_socket(self) -> Path:
        return self.folder / "run/libvirt/libvirt-sock"

    @property
    def libvirt_uri(self) -> str:
        """Return libvirt's URI, valid on the machine and inside every node of the lab."""
        return f"qemu+unix:///system?socket={self.libvirt_socket}"

    @property
    def agent_folder(self) -> Path:
        """Return the state folder of the node's agent, on the machine."""
        return self.folder / node_init.OWN_STATE

    @property
    def state_dir(self) -> Path:
        """Return the same folder inside the node, where it has the same path as in every other node."""
        return Path(node_init.STATE_DIRECTORY)

    @property
    def hook(self) -> Path:
        """Return libvirt's hook for guests, on the machine; inside the node it is /etc/libvirt/hooks/qemu."""
        return self.folder / "etc/hooks/qemu"

    @property
    def is_on(self) -> bool:
        return self._init_pid() is not None

    def pids(self, command: str | None = None, *, containing: str = "") -> list[int]:
        """Return the machine's pids of the node's processes.

        The result can be limited to those named `command` (at most 15 characters), or with `containing` in the command
        line.
        """
        pids = sorted(p for p in self._cgroups.pids() if command in (None, command_of(p)))
        return [pid for pid in pids if command_line_contains(pid, containing)] if containing else pids

    def guest_pids(self) -> list[int]:
        """Return the pids of QEMU processes of guests, without those that only probe QEMU's capabilities."""
        return self.pids("qemu-system-x86", containing="guest=andromede-")

    def start(self) -> None:
        """Power on: namespaces, pid 1 and libvirt. A node that is on only gets its missing daemons."""
        if not self.is_on:
            with step(f"lab: power on {self.name}"):
                self._boot()
        self.start_libvirtd()

    def power_off(self) -> None:
        """Cut the power: every process, guests included, dies at once. Only the disk is left."""
        init = self._init_pid()
        if init is not None:
            end_process(init)
        end_all(self._cgroups)
        self._cabling.unplug_node(self.name)

    def unplug(self) -> None:
        """Unplug the network cable: the node and its guests go on, unreachable."""
        self._cabling.set_cable(self.name, state="down")

    def plug(self) -> None:
        self._cabling.set_cable(self.name, state="up")

    def start_libvirtd(self) -> None:
        """Start virtlogd and libvirtd unless they run, and return when libvirt's drivers are ready."""
        if not self.pids("libvirtd"):
            self.exec([sys.executable, "-m", "agents.node.libvirtd_recovery"])
        for daemon, arguments in (("virtlogd", []), ("libvirtd", ["--listen"])):
            if not self.pids(daemon):
                self.exec([daemon, "--daemon", *arguments])
        wait_until(self._libvirt_answers, what=f"libvirtd of {self.name}")

    def kill_libvirtd(self) -> None:
        """End libvirtd with SIGKILL; guests and virtlogd go on."""
        for pid in self.pids("libvirtd"):
            end_process(pid)

    def exec(
        self,
        argv: Sequence[str],
        *,
        check: bool = True,
        stdin: str | None = None,
        env: Mapping[str, str] | None = None,
        timeout_s: float = 60,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the node to its end; it dies with the caller.

        Raises:
            LabError: the node is off, or the command failed and `check` is true.
            subprocess.TimeoutExpired: the command was killed after `timeout_s` seconds.
        """
        done = subprocess.run(
            self.entering(["setpriv", "--pdeathsig", "KILL", *argv]),
            input=stdin,
            env=_environment(env),
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        if check and done.returncode != 0:
            words = (done.stderr or done.stdout).strip()
            raise LabError(f"{argv[0]} in {self.name} ended with {done.returncode}: {words}")
        return done

    def spawn(self, argv: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None) -> NodeProcess:
        """Start a command in the node in a session of its own, its output appended to `log`.

        It outlives the caller and dies with the node.
        """
        with log.open("ab") as output:
            outer = subprocess.Popen(
                self.entering(argv),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=_environment(env),
                start_new_session=True,
            )
        return NodeProcess(outer)

    def entering(self, argv: Sequence[str]) -> list[str]:
        """Return the command line which, run on the machine, runs `argv` in the node, in the same working directory.

        Raises:
            LabError: the node is off.
        """
        init = self._init_pid()
        if init is None:
            raise LabError(f"Node {self.name} is off.", node=self.name)
        namespaces = ["--mount", "--net", "--uts", "--pid", "--cgroup"]
        enter = ["nsenter", f"--target={init}", *namespaces, f"--wdns={Path.cwd()}"]
        return self._joining([*enter, "--", *argv])

    def _boot(self) -> None:
        self._cabling.plug_node(self.name, host=self._host)
        self._furnish()
        self._cgroups.create()
        with (self.folder / "console.log").open("wb") as console:
            self._launch_init(console)
        self._cgroups.enter_leaf()

    def _furnish(self) -> None:
        if len(str(self.folder)) > LONGEST_FOLDER:
            raise LabError(f"The path {self.folder} is too long for libvirt's sockets.")
        # As on a real server /run starts empty: no sockets, pid files or mount points of network namespaces.
        shutil.rmtree(self.folder / "run", ignore_errors=True)
        for own in [*node_init.OWN_DIRECTORIES.values(), node_init.OWN_STATE]:
            (self.folder / own).mkdir(parents=True, exist_ok=True)
        config.write_libvirt(
            self.folder / "etc",
            name=self.name,
            address=self.address,
            shared=self.folder.parent / "shared",
            authority=self.folder.parent / "pki",
        )
        if self._is_guarded:
            script.install(self.hook, self.state_dir / "hook.sock")

    def _launch_init(self, console: IO[bytes]) -> None:
        """Start pid 1 without a child to wait for, and return when it reports."""
        groups = [f"{h.mount}:{','.join(h.controllers)}" for h in self._cgroups.hierarchies]
        unshare = ["unshare", "--mount", "--uts", "--pid", "--cgroup", "--fork", "--kill-child"]
        program = [sys.executable, "-I", node_init.__file__, self.name, str(self.folder), *groups]
        reader, writer = os.pipe()
        with os.fdopen(reader) as report, os.fdopen(writer, "wb") as output:
            subprocess.run(
                self._joining(
                    ["setsid", "--fork", "nsenter", f"--net={NETNS_FOLDER / self.netns}"]
                    + [*unshare, "--mount-proc", "--propagation", "private", "--", *program]
                ),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=console,
                check=True,
            )
            output.close()
            if report.readline() != "ready\n":
                words = (self.folder / "console.log").read_text()
                raise LabError(f"Node {self.name} did not start: {words}", node=self.name)

    def _joining(self, argv: list[str]) -> list[str]:
        entrances = [str(path) for path in self._cgroups.entrances()]
        return ["sh", "-c", JOIN, "join", *entrances, "--", *argv]

    def _init_pid(self) -> int | None:
        """Return the machine's pid of the process which is pid 1 in a namespace just below."""
        return next((p for p in self._cgroups.pids() if pid_below(p) == 1), None)

    def _libvirt_answers(self) -> bool:
        """Return whether a call is answered: libvirtd listens before its drivers are ready."""
        return self.exec(["virsh", "version"], check=False, timeout_s=PATIENCE_S).returncode == 0


def end_all(cgroups: Cgroups) -> None:
    """End every process of these groups, including new ones."""

    def none_left() -> bool:
        for pid in cgroups.pids():
            end_process(pid)
        return not cgroups.pids()

    wait_until(none_left, what=f"the processes of {cgroups.path} to end")


def _environment(changes: Mapping[str, str] | None) -> dict[str, str]:
    return {**os.environ, **(changes or {})}
