"""`make ansible`: the playbook against a Debian tree of its own, with systemd as its first process, in namespaces of
its own: once from nothing, once more, which may change nothing, and a look at what stands there then.

The tree has Debian's packages from the beginning, so that the play itself needs no network. Needs root.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import yaml

from bench.common import report, say
from scripts import release
from scripts.stack import BIN, ROOT
from scripts.waiting import wait_until

PLAYBOOK = ROOT / "ansible"
VAR = ROOT / "var" / "ansible"
TREE, MACHINE, KEY = VAR / "tree.tar", VAR / "machine", VAR / "key"
NAMESPACE = "andromede-ansible"
SUITE = "trixie"
BARE = ("systemd", "systemd-sysv", "dbus", "python3", "python3-apt", "openssh-server", "sudo", "util-linux", "curl")
REQUESTS = 150
WELL = {
    "restart": {"answered": REQUESTS},
    "restore": {"kept": True, "lost": False},
    "answers": {"healthz": "ok", "node": "ready"},
}
BOOT_LIMIT_S, PLAY_LIMIT_S = 90, 1200
# What systemd-analyze calls the exposure of a unit, from 0 to 10. The agent makes networks and guests, as root.
EXPOSURE_MAX = {"andromede-node.service": 7.5}
EXPOSURE_MAX_OF_OTHERS = 2.0


def main() -> int:
    VAR.mkdir(parents=True, exist_ok=True)
    plant()
    bundle = release.make()
    with machine() as run:
        first, again = play(bundle), play(bundle)
        exposures = units(run)
        found = {"restart": while_restarting(run), "restore": restored(run), "answers": answers(run)}
    report({"first": first, "again": again, "exposures": exposures, **found})
    is_well = again["changed"] == 0 and found == WELL and not too_exposed(exposures)
    return 0 if is_well else 1


def plant() -> None:
    """The tree, made once; and each time a fresh machine of it, which our key opens."""
    if not TREE.exists():
        say("a tree of Debian")
        include = ",".join([*BARE, *packages()])
        command = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={include}", SUITE, str(TREE)]
        subprocess.run(command, check=True)
    shutil.rmtree(MACHINE, ignore_errors=True)
    MACHINE.mkdir()
    subprocess.run(["tar", "--extract", "--file", str(TREE), "--directory", str(MACHINE)], check=True)
    if not KEY.exists():
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(KEY)], check=True)
    ssh = MACHINE / "root" / ".ssh"
    ssh.mkdir(mode=0o700, exist_ok=True)
    shutil.copy(KEY.with_suffix(".pub"), ssh / "authorized_keys")


def packages() -> set[str]:
    """What the roles ask of apt."""
    files = PLAYBOOK.glob("roles/*/tasks/*.yml")
    asked = [task.get("ansible.builtin.apt") for file in files for task in yaml.safe_load(file.read_text())]
    names = [each["name"] for each in asked if each]
    return {name for one in names for name in ([one] if isinstance(one, str) else one)}


@contextmanager
def machine() -> Iterator["Machine"]:
    """It runs until the block ends."""
    subprocess.run(["ip", "netns", "add", NAMESPACE], check=True)
    subprocess.run(["ip", "-n", NAMESPACE, "link", "set", "lo", "up"], check=True)
    # A cgroup tree of the second version, which has no controllers where the machine's own is of the first.
    script = "umount -R -l /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup && mkdir -p /sys/fs/cgroup/lab"
    script += ' && echo $$ >/sys/fs/cgroup/lab/cgroup.procs && exec "$@"'
    nspawn = ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--boot", "--console=pipe"]
    nspawn += ["--machine=lab", "--link-journal=no", "--capability=all", "--system-call-filter=@known"]
    nspawn += [f"--network-namespace-path=/run/netns/{NAMESPACE}", f"--directory={MACHINE}"]
    nspawn += [f"--bind={device}" for device in ("/dev/kvm", "/dev/net/tun") if Path(device).exists()]
    command = ["unshare", "--mount", "--propagation", "private", "bash", "-ec", script, "bash", *nspawn]
    environment = {**os.environ, "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "1"}
    with (VAR / "machine.log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)
    try:
        booted = Machine()
        wait_until(lambda: booted.run("true", is_checked=False).returncode == 0, limit_s=BOOT_LIMIT_S)
        yield booted
    finally:
        process.terminate()
        process.wait(timeout=60)
        subprocess.run(["ip", "netns", "del", NAMESPACE], check=True)


class Machine:
    def run(self, command: str, *, is_checked: bool = True) -> subprocess.CompletedProcess[str]:
        options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR", "ConnectTimeout=5"]
        ssh = [*inside(), "ssh", "-i", str(KEY), *(word for option in options for word in ("-o", option))]
        return subprocess.run([*ssh, "root@127.0.0.1", command], capture_output=True, text=True, check=is_checked)


def inside() -> Sequence[str]:
    return ("ip", "netns", "exec", NAMESPACE)


def play(bundle: Path) -> dict[str, float]:
    """The whole playbook; how many tasks were ok and how many changed something, and the seconds."""
    say("ansible-playbook site.yml")
    begun = time.monotonic()
    command = [*inside(), str(BIN / "ansible-playbook"), "--inventory", "inventories/lab", "site.yml"]
    command += ["--private-key", str(KEY), "--extra-vars", f"andromede_version={release.version_of(bundle)}"]
    environment = {**os.environ, "ANSIBLE_HOST_KEY_CHECKING": "false", "ANSIBLE_NOCOLOR": "1"}
    ran = subprocess.run(
        command, cwd=PLAYBOOK, env=environment, capture_output=True, text=True, timeout=PLAY_LIMIT_S, check=False
    )
    (VAR / "play.log").write_text(ran.stdout + ran.stderr)
    recap = re.search(r"^lab .*ok=(\d+) +changed=(\d+)", ran.stdout, re.MULTILINE)
    if ran.returncode != 0 or recap is None:
        raise SystemExit(f"The play failed; see {VAR / 'play.log'}.")
    return {"ok": int(recap[1]), "changed": int(recap[2]), "seconds": round(time.monotonic() - begun)}


def units(run: Machine) -> dict[str, float]:
    """The exposure of each of our services. Raises CalledProcessError when systemd finds something wrong with one."""
    run.run("systemd-analyze verify /etc/systemd/system/andromede-*")
    table = json.loads(run.run("systemd-analyze security --json=short").stdout)
    return {row["unit"]: float(row["exposure"]) for row in table if row["unit"].startswith("andromede-")}


def too_exposed(found: dict[str, float]) -> list[str]:
    return [name for name, exposure in found.items() if exposure > EXPOSURE_MAX.get(name, EXPOSURE_MAX_OF_OTHERS)]


def while_restarting(run: Machine) -> dict[str, int]:
    """How many requests, one after the other, were answered 200 while the web process was restarted twice."""
    ask = "curl --silent --insecure --output /dev/null --write-out '%{http_code}\\n' https://localhost/v1/healthz"
    restarts = "(sleep 0.2; systemctl restart andromede-web; systemctl restart andromede-web) &"
    said = run.run(f"{restarts} for number in $(seq {REQUESTS}); do {ask}; done; wait").stdout.split()
    return {"answered": said.count("200")}


def restored(run: Machine) -> dict[str, bool]:
    """Which of two organizations there is after a restore, of which one was made after the backup: as
    docs/how-to/install.md says it."""
    run.run("andromede-manage create_organization kept && systemctl start andromede-backup.service")
    run.run("andromede-manage create_organization lost")
    run.run("systemctl stop 'andromede-*.service' andromede-web.socket")
    run.run("cd /tmp && sudo -u postgres dropdb andromede")
    run.run("cd /tmp && sudo -u postgres createdb --owner andromede --template template0 andromede")
    run.run("cd /tmp && sudo -u postgres pg_restore --dbname andromede $(ls /var/backups/andromede/*.dump)")
    run.run("systemctl start andromede-web.socket $(cd /etc/systemd/system && ls andromede-*.service | grep -v backup)")
    names = run.run("cd /tmp && sudo -u postgres psql -tAc 'SELECT name FROM identity_organization' andromede").stdout
    return {name: name in names.split() for name in ("kept", "lost")}


def answers(run: Machine) -> dict[str, str]:
    """What a caller of the API reads, through the web server in front, and the node's state."""
    wait_until(lambda: _node(run) == "ready")
    health = run.run("curl --silent --show-error --insecure https://localhost/v1/healthz").stdout
    return {"healthz": json.loads(health)["status"], "node": _node(run)}


def _node(run: Machine) -> str:
    """Its state."""
    return run.run("andromede-manage list_nodes").stdout.splitlines()[1].split()[2]


if __name__ == "__main__":
    sys.exit(main())
