"""The machines of `make ansible`: each a Debian tree with systemd as its first process, in namespaces of its own, and a
switch between them.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from scripts.control_plane import ROOT
from scripts.polling import wait_until

VAR = ROOT / "var" / "ansible"
TREE, KEY = VAR / "tree.tar", VAR / "key"
# Storage that the nodes have mounted; as group_vars of inventories/lab has it.
POOL, POOL_PATH = VAR / "pool", "/srv/pool"
# The host key of the machine that takes the backups.
KNOWN_HOSTS = VAR / "known_hosts"
SWITCH = "andromede-switch"
BOOT_LIMIT_S, STOP_LIMIT_S = 300, 120


@dataclass(frozen=True)
class Machine:
    """A machine of the lab. `number`: the last part of its address."""

    name: str
    number: int

    @property
    def address(self) -> str:
        return f"10.201.0.{self.number}"

    @property
    def namespace(self) -> str:
        return f"andromede-{self.name}"

    @property
    def folder(self) -> Path:
        return VAR / self.name

    def run(self, command: str, *, is_checked: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command of the shell. Raises SystemExit with its output when it fails, unless `is_checked` is False."""
        options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR", "ConnectTimeout=5"]
        ssh = [*inside(self), "ssh", "-i", str(KEY), *(word for option in options for word in ("-o", option))]
        ran = subprocess.run([*ssh, f"root@{self.address}", command], capture_output=True, text=True, check=False)
        if is_checked and ran.returncode != 0:
            raise SystemExit(f"{self.name}: {command}: {ran.returncode}: {ran.stdout}{ran.stderr}")
        return ran

    def keep_log(self) -> None:
        """Write its journal into NAME.journal, which outlives the machine."""
        ran = self.run("journalctl --no-pager --no-hostname --output short-precise", is_checked=False)
        (VAR / f"{self.name}.journal").write_text(ran.stdout + ran.stderr)


# As inventories/lab has them: the first is control plane and node. The second is the router of the third, too.
CONTROL, NODE, ANNOUNCER = Machine("lab", 1), Machine("lab-2", 2), Machine("lab-3", 3)
NODES = (CONTROL, NODE)
MACHINES = (*NODES, ANNOUNCER)


@contextmanager
def wire() -> Iterator[None]:
    """Make a network of the machines alone, until the block ends."""
    with ExitStack() as namespaces:
        for name in (SWITCH, *(each.namespace for each in MACHINES)):
            subprocess.run(["ip", "netns", "add", name], check=True)
            namespaces.callback(subprocess.run, ["ip", "netns", "del", name], check=True)
        switch = ["ip", "-n", SWITCH, "link"]
        subprocess.run([*switch, "add", "switch", "up", "type", "bridge"], check=True)
        for each in MACHINES:
            peer = ["peer", "name", "eth0", "netns", each.namespace]
            subprocess.run([*switch, "add", each.name, "up", "master", "switch", "type", "veth", *peer], check=True)
            ip = ["ip", "-n", each.namespace]
            subprocess.run([*ip, "address", "add", f"{each.address}/24", "dev", "eth0"], check=True)
            for device in ("lo", "eth0"):
                subprocess.run([*ip, "link", "set", device, "up"], check=True)
        yield


@contextmanager
def booted(machine: Machine) -> Iterator[None]:
    """Boot a machine from the tree; it runs until the block ends."""
    shutil.rmtree(machine.folder, ignore_errors=True)
    machine.folder.mkdir()
    subprocess.run(["tar", "--extract", "--file", str(TREE), "--directory", str(machine.folder)], check=True)
    ssh = machine.folder / "root" / ".ssh"
    ssh.mkdir(mode=0o700, exist_ok=True)
    shutil.copy(KEY.with_suffix(".pub"), ssh / "authorized_keys")
    give_host_key(machine)
    # A cgroup tree of the second version, which has no controllers where the machine's own is of the first.
    lab = f"/sys/fs/cgroup/{machine.name}"
    script = f"umount -R -l /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup && mkdir -p {lab}"
    script += f' && echo $$ >{lab}/cgroup.procs && exec "$@"'
    nspawn = ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--boot", "--console=pipe"]
    nspawn += [f"--machine={machine.name}", "--link-journal=no", "--capability=all", "--system-call-filter=@known"]
    nspawn += [f"--bind={POOL}:{POOL_PATH}"]
    nspawn += [f"--network-namespace-path=/run/netns/{machine.namespace}", f"--directory={machine.folder}"]
    nspawn += [f"--bind={device}" for device in ("/dev/kvm", "/dev/net/tun") if Path(device).exists()]
    command = ["unshare", "--mount", "--propagation", "private", "bash", "-ec", script, "bash", *nspawn]
    environment = {**os.environ, "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "1"}
    with (VAR / f"{machine.name}.log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)
    try:
        wait_until(lambda: machine.run("true", is_checked=False).returncode == 0, limit_s=BOOT_LIMIT_S)
        yield
    finally:
        machine.keep_log()
        process.terminate()
        process.wait(timeout=STOP_LIMIT_S)


def give_host_key(machine: Machine) -> None:
    """Give the machine an SSH host key of its own: that of the tree is on every machine. Backups go by it."""
    for left in (machine.folder / "etc" / "ssh").glob("ssh_host_*"):
        left.unlink()
    key = machine.folder / "etc" / "ssh" / "ssh_host_ed25519_key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    if machine == NODE:
        KNOWN_HOSTS.write_text(f"{machine.address} {key.with_suffix('.pub').read_text()}")


def inside(machine: Machine) -> Sequence[str]:
    return ("ip", "netns", "exec", machine.namespace)
