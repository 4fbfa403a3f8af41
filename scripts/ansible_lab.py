"""`make ansible`: the playbook against three machines, each a Debian tree with systemd as its first process, in its own
namespaces: what it would do, once from nothing, once more, which may change nothing, and once that renews certificates;
then a look at what is there. `ARGS="--from REVISION"` installs that revision first, by its own playbook; then what
would be done is asked, and done, and undone and done again, each time while a tenant (scripts/ansible_tenant.py) asks
and has guests.

The tree has Debian's packages from the beginning, so that the play itself needs no network. Needs root.
"""

import argparse
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import UUID

import yaml

from agents.lab.images import build
from agents.node.adapters import pools
from agents.node.adapters.interfaces import GUEST_PREFIX
from agents.node.adapters.network.layout import namespace_name
from bench.common import print_progress, report
from scripts import ansible_tenant, release
from scripts.ansible_machines import (
    ANNOUNCER,
    CONTROL,
    KEY,
    MACHINES,
    NODE,
    NODES,
    POOL,
    TREE,
    VAR,
    Machine,
    booted,
    inside,
    wire,
)
from scripts.cloud import BUILT_IMAGES, IMAGE_MEMORY_MIB
from scripts.control_plane import BIN, ROOT
from scripts.polling import wait_until

PLAYBOOK, ALERTS = ROOT / "ansible", ROOT / "observability" / "alerts.yaml"
SUITE = "trixie"
BARE = ("systemd", "systemd-sysv", "dbus", "python3", "python3-apt", "openssh-server", "sudo", "util-linux", "curl")
REQUESTS = 150
# A router that takes whatever the announcer says, as docs/how-to/connect-the-cloud-to-your-routers.md has it.
ROUTER = f"""router id {NODE.address};
protocol device {{}}
protocol bgp announcer {{
  local {NODE.address} as 65000; neighbor {ANNOUNCER.address} as 65001;
  ipv4 {{ import all; export none; }};
}}
"""
# Of the tenant: its project, its guest image, and where on the machine of the control plane it is.
INVENTORY = "ansible/inventories/lab/hosts.yml"
PROJECT, IMAGE, TENANT = "older", "tiny", "/srv/tenant.py"
# Who takes backups on the other machine, and where they come to; as group_vars of inventories/lab has it.
KEEPER, KEPT = "keeper", "/var/backups/andromede"
STAMP, KNOWN_HOSTS_FILE = "/var/lib/andromede-backup/last", "/etc/andromede/backup-known-hosts"
ORGANIZATIONS = "SELECT name FROM identity_organization"
# As the role `release` has it.
RELEASES = "/opt/andromede"
PLAY_LIMIT_S = 3600
# Where keys are, and which of them each user of ours may read; nobody else may read any.
KEY_FOLDERS = ("/etc/andromede", "/var/lib/andromede*", "/run/credentials", "/var/backups")
READABLE = {
    "andromede-web": ["secret-key", "secret-key-fallbacks", "web.key"],
    "andromede-stream": ["secret-key", "secret-key-fallbacks", "stream.key"],
    "andromede-worker": ["secret-key", "secret-key-fallbacks", "worker.key"],
    "andromede-signer": ["log.key", "signer_signer.key"],
    "andromede-sentinel": [],
    "andromede-watcher": ["watcher.key"],
    "andromede-webhooks": ["secret-key", "secret-key-fallbacks"],
}
# Certificates that the processes report; `database` are PostgreSQL's and the sentinel's.
RENEWED = ("database", "stream", "watcher", "web", "worker")
# On the machine that the sentinel has.
READABLE_THERE = {"andromede-sentinel": ["database.key", "sentinel_sentinel.key"]}
READABLE_OF_ANNOUNCER = {"andromede-announcer": ["node.key"]}
OTHER_USERS = ("andromede-manage", "andromede", "postgres", "redis", "www-data", "nobody")
WELL = {
    "restart": {"answered": REQUESTS},
    "sent": {"arrived": True, "encrypted": True, "listed": True, "taken_back": False, "refused": True, "told": True}
    | {"sent_again": True},
    "restore": {"kept": True, "lost": False},
    "keys": READABLE | {name: [] for name in OTHER_USERS},
    "keys_there": READABLE_THERE | {name: [] for name in OTHER_USERS},
    "keys_of_announcer": READABLE_OF_ANNOUNCER | {"bird": []} | {name: [] for name in OTHER_USERS},
    "logged": [],
    "announcer": {"unit": "active", "problem": "", "sessions": "1"},
    "cosigned": {"waits": True, "operations": ["succeeded", "succeeded"], "signed": True},
    "renewed": {"certificates": {name: True for name in RENEWED}, "alert": False},
    "answers": {"healthz": "ok", "nodes": {"lab": "ready", "lab-2": "ready"}, "pools": ["shared"], "unready": []},
}
# Where processes answer for their health, on each machine.
OBSERVED: Mapping[Machine, str] = {CONTROL: "$(seq 9100 9103) $(seq 9105 9109)", NODE: "9100 9104"}
ROOT_KEY = "/etc/andromede/pki/root.key"
# What a release has that the playbook of now can go back to: one unit for all workers.
BACK_NEEDS = "controlplane/config/run_workers.py"
# So many days make every certificate one that ends soon.
RENEWS_ALL = "release_renewal_days=400"
# What systemd-analyze calls the exposure of a unit, from 0 to 10. The agent makes networks and guests, as root.
EXPOSURE_MAX = {"andromede-node.service": 6.8}
EXPOSURE_MAX_OF_OTHERS = 2.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--from", dest="older", metavar="REVISION", help="revision to install first and then upgrade")
    older = parser.parse_args().older
    for number in (signal.SIGTERM, signal.SIGINT):  # what has been started ends also then
        signal.signal(number, signal.default_int_handler)
    VAR.mkdir(parents=True, exist_ok=True)
    for left in VAR.glob("play-*.log"):
        left.unlink()
    grow_tree()
    make_shared()
    shutil.rmtree(VAR / "authority", ignore_errors=True)
    old, bundle = older and released(older), release.make()
    with ExitStack() as lab:
        lab.enter_context(wire())
        for each in MACHINES:
            lab.enter_context(booted(each))
        NODE.run(f"useradd --create-home --shell /bin/sh {KEEPER} && install --directory --owner {KEEPER} {KEPT}")
        NODE.run(f"echo {shlex.quote(ROUTER)} >/etc/bird/bird.conf && systemctl reload bird")
        settled: dict[str, str] = {}
        if old:
            play(old, folder=old.parents[2] / "ansible")
            settled = settle()
        tried = play(bundle, "--check")
        upgrade = upgraded(old, bundle, settled) if old else {}
        first, second = upgrade["to"]["play"] if old else play(bundle), play(bundle)
        renewing = play(bundle, "--extra-vars", RENEWS_ALL)
        plays = {"tried": tried, "first": first, "again": second, "renewing": renewing}
        plays["checked"] = play(bundle, "--check")
        exposures = {each.name: units(each) for each in MACHINES}
        outcome = {"renewed": renewed()} | looked_at(has_tenant=bool(settled))
    report({"plays": plays, "upgrade": upgrade, "exposures": exposures, **outcome})
    is_well = outcome == WELL and not any(map(too_exposed, exposures.values()))
    is_well = is_well and plays["again"]["changed"] == plays["checked"]["changed"] == 0
    return 0 if is_well and all(map(is_smooth, upgrade.values())) else 1


def grow_tree() -> None:
    """Build the tree that all machines are unpacked from, and the ssh key that opens them.

    The tree is built anew when the roles ask for other packages; the key is made once.
    """
    include, stamp = ",".join([*BARE, *sorted(packages())]), TREE.with_suffix(".packages")
    if not stamp.exists() or stamp.read_text() != include:
        print_progress("building the Debian root file system")
        TREE.unlink(missing_ok=True)
        command = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={include}", SUITE, str(TREE)]
        subprocess.run(command, check=True)
        stamp.write_text(include)
    if not KEY.exists():
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(KEY)], check=True)


def looked_at(*, has_tenant: bool) -> dict[str, object]:
    """Return what the installed platform does, as WELL has it."""
    outcome: dict[str, object] = {"announcer": announced(), "restart": while_restarting(CONTROL)}
    if not has_tenant:
        settle()
    outcome |= {"cosigned": cosigned(), "sent": sent(CONTROL, NODE), "restore": restored(CONTROL)}
    outcome |= {"answers": answers(CONTROL), "keys": readers(CONTROL, READABLE)}
    outcome["logged"] = [each.name for each in MACHINES if has_logged_key(each)]
    there, of_announcer = readers(NODE, READABLE_THERE), readers(ANNOUNCER, [*READABLE_OF_ANNOUNCER, "bird"])
    return outcome | {"keys_there": there, "keys_of_announcer": of_announcer}


def make_shared() -> None:
    shutil.rmtree(POOL, ignore_errors=True)
    POOL.mkdir()
    pools.make(POOL)


def released(revision: str) -> Path:
    """Return the bundle of another revision, built by its own commands in a tree of its own; once for each."""
    tree = VAR / "older"
    parse = ["git", "rev-parse", "--short=12", f"{revision}^{{commit}}"]
    commit = subprocess.run(parse, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    for there in (tree / "var" / "release").glob(f"*-{commit}.tar.gz"):
        return there
    print_progress(f"building the release of {revision}")
    subprocess.run(["git", "worktree", "remove", "--force", str(tree)], cwd=ROOT, capture_output=True, check=False)
    subprocess.run(["git", "worktree", "add", "--quiet", "--detach", str(tree), revision], cwd=ROOT, check=True)
    # Its inventory finds there what this one does: the authority, and the keys of the machines.
    (tree / "var").mkdir(exist_ok=True)
    (tree / "var" / "ansible").symlink_to(VAR)
    built = subprocess.run(["make", "--silent", "release"], cwd=tree, stdout=subprocess.PIPE, text=True, check=True)
    return Path(built.stdout.split()[-1])


def packages() -> set[str]:
    """Return the packages that the roles install with apt."""
    files = PLAYBOOK.glob("roles/*/tasks/*.yml")
    tasks = [task for file in files for task in yaml.safe_load(file.read_text())]
    installs = [each.get("ansible.builtin.apt") for task in tasks for each in task.get("block", [task])]
    names = [each["name"] for each in installs if each]
    return {name for one in names for name in ([one] if isinstance(one, str) else one)}


def upgraded(old: Path, new: Path, settled: dict[str, str]) -> dict[str, Any]:
    """Upgrade from the installed old release to the new one, back if it can go back, and again, after an interrupted
    run.
    """
    plays = {"to": played_over(new, settled)}
    if has_file(old, BACK_NEEDS):
        plays["back"] = played_over(old, settled)
    cut_off(new)
    return {**plays, "again": played_over(new, settled)}


def has_file(bundle: Path, name: str) -> bool:
    with tarfile.open(bundle) as archive:
        return any(member.name.partition("/")[2] == name for member in archive)


def cut_off(bundle: Path) -> None:
    """Leave the machines as a run does that ends before it has notified the processes."""
    for each in machines_of(bundle):
        folder = f"{RELEASES}/andromede-{release.version_of(bundle)}"
        each.run(f"ln --symbolic --force --no-dereference {folder} {RELEASES}/current")


def settle() -> dict[str, str]:
    """Start a tenant with guests on both machines; returns the id of its network, and each guest's address by its
    id.
    """
    owner, image, on_machine = f"{PROJECT}@example.org", BUILT_IMAGES / f"{IMAGE}.qcow2", f"/srv/{IMAGE}.qcow2"
    BUILT_IMAGES.mkdir(parents=True, exist_ok=True)
    build(IMAGE, image)
    shutil.copy(image, CONTROL.folder / on_machine[1:])
    for each in NODES:
        shutil.copy(ansible_tenant.__file__, each.folder / TENANT[1:])
    with_memory = f"--min-memory-mib {IMAGE_MEMORY_MIB[IMAGE]}"
    for command in (
        f"create_organization {PROJECT}",
        f"create_project {PROJECT} {PROJECT}",
        f"create_user {owner}",
        f"add_member {PROJECT} {owner} owner",
        f"create_token {owner} --project {PROJECT} --name {PROJECT} --role owner --days 1 >{ansible_tenant.TOKEN}",
        f"import_image {IMAGE} {on_machine} --format qcow2 {with_memory}",
    ):
        CONTROL.run(f"umask 077 && andromede-manage {command}")
    settled: dict[str, str] = json.loads(CONTROL.run(f"python3 {TENANT} settle {PROJECT}").stdout)
    return settled


def played_over(bundle: Path, settled: dict[str, str]) -> dict[str, Any]:
    """Run the playbook while the tenant sends requests and its guests are reached; returns the results."""
    network = namespace_name(UUID(settled["network"]))
    before = {each: guests(each, settled) for each in NODES}
    asking = begun(CONTROL, f"python3 {TENANT} ask {PROJECT}", "/run/asked")
    reaching = [
        (each, begun(each, f"ip netns exec {network} python3 {TENANT} reach {settled[guest]}", f"/run/{guest}"))
        for each in NODES
        for guest in before[each]
    ]
    ran = play(bundle)
    asked = ended(CONTROL, asking)
    reached = [ended(each, pid) for each, pid in reaching]
    ran_on = {each.name: bool(before[each]) and guests(each, settled) == before[each] for each in NODES}
    version = f"andromede-{release.version_of(bundle)}"
    runs_it = {each.name: releases(each) == {version} for each in machines_of(bundle)}
    result = {"play": ran, "asked": asked, "reached": reached, "ran_on": ran_on, "runs_it": runs_it}
    print_progress(json.dumps(result))
    return result


def machines_of(bundle: Path) -> tuple[Machine, ...]:
    """Return the machines in the release's inventory of the lab: earlier ones have no announcer."""
    with tarfile.open(bundle) as archive:
        inventory = next(member for member in archive if member.name.partition("/")[2] == INVENTORY)
        hosts = yaml.safe_load(archive.extractfile(inventory) or b"")["all"]["hosts"]
    return tuple(each for each in MACHINES if each.name in hosts)


def releases(machine: Machine) -> set[str]:
    """Return the releases of the running processes."""
    units = "$(systemctl list-units 'andromede-*.service' --state running --plain --no-legend | cut -d ' ' -f 1)"
    pid = "$(systemctl show --property MainPID --value $unit)"
    output = machine.run(f"for unit in {units}; do basename $(readlink /proc/{pid}/cwd); done").stdout
    return set(output.split())


def guests(machine: Machine, settled: dict[str, str]) -> dict[str, str]:
    """Return the processes of the tenant's guests on the machine, by their ids."""
    listed = machine.run(f"cd /run/libvirt/qemu && grep -H . {GUEST_PREFIX}*.pid", is_checked=False).stdout.split()
    pids = dict(line.removeprefix(GUEST_PREFIX).split(".pid:") for line in listed)
    return {guest: pid for guest, pid in pids.items() if guest in settled}


def begun(machine: Machine, command: str, out: str) -> tuple[str, str]:
    """Start a command in the background on the machine; returns the data that `ended` needs."""
    return machine.run(f"{command} </dev/null >{out} 2>&1 & echo $!").stdout.strip(), out


def ended(machine: Machine, process: tuple[str, str]) -> dict[str, Any]:
    """Stop the command and read its output."""
    machine.run(f"kill {process[0]}")
    return waited_for(machine, process)


def waited_for(machine: Machine, process: tuple[str, str]) -> dict[str, Any]:
    """Wait until the command ends, and read its output."""
    pid, out = process
    output = machine.run(f"while kill -0 {pid} 2>/dev/null; do sleep 0.2; done; cat {out}").stdout
    try:
        outcome: dict[str, Any] = json.loads(output)
    except ValueError:
        raise SystemExit(f"A process on {machine.name} failed: {output}") from None
    return outcome


def is_smooth(outcome: dict[str, Any]) -> bool:
    """Return whether no request was refused, no operation lost, no guest disturbed, and all processes are of the
    release.
    """
    asked, reached = outcome["asked"], outcome["reached"]
    is_answered = not asked["refused"] and set(asked["operations"]) == {"succeeded"}
    is_reached = reached and not any(each["missed"] for each in reached)
    return bool(is_answered and is_reached and all(outcome["ran_on"].values()) and all(outcome["runs_it"].values()))


def play(bundle: Path, *options: str, folder: Path = PLAYBOOK) -> dict[str, float]:
    """The whole playbook; how many tasks were ok and how many changed something, on all machines, and the seconds.

    Raises:
        SystemExit: it failed, or took longer than PLAY_LIMIT_S; the log of each play is kept.
    """
    log = VAR / f"play-{len([*VAR.glob('play-*.log')]) + 1}.log"
    print_progress(f"{log.name}: {release.version_of(bundle)} {' '.join(options)}")
    begun = time.monotonic()
    machines = machines_of(bundle)
    command = [*inside(CONTROL), str(BIN / "ansible-playbook"), "--inventory", "inventories/lab", "site.yml", *options]
    command += ["--private-key", str(KEY), "--extra-vars", f"andromede_version={release.version_of(bundle)}"]
    command += ["--limit", ",".join(each.name for each in machines)]
    environment = {**os.environ, "ANSIBLE_HOST_KEY_CHECKING": "false", "ANSIBLE_NOCOLOR": "1"}
    try:
        with log.open("w") as out:
            ran = subprocess.run(
                command, cwd=folder, env=environment, stdout=out, stderr=out, timeout=PLAY_LIMIT_S, check=False
            )
    except subprocess.TimeoutExpired:
        raise SystemExit(f"The play took longer than {PLAY_LIMIT_S} s; {log} ends with:\n{end_of(log)}") from None
    recap = re.findall(r"^lab\S* .*ok=(\d+) +changed=(\d+)", log.read_text(), re.MULTILINE)
    if ran.returncode != 0 or len(recap) != len(machines):
        raise SystemExit(f"The play failed; {log} ends with:\n{end_of(log)}")
    ok, changed = (sum(int(each[column]) for each in recap) for column in (0, 1))
    return {"ok": ok, "changed": changed, "seconds": round(time.monotonic() - begun)}


def end_of(log: Path) -> str:
    return "\n".join(log.read_text().splitlines()[-40:])


def announced() -> dict[str, str]:
    """Return the state of the announcer's unit, and what the control plane has heard from it."""
    query = (
        "SELECT problem || '|' || established_session_count FROM announcers_announcer WHERE last_seen_at IS NOT NULL"
    )
    wait_until(lambda: rows(CONTROL, query) == ["|1"], or_else=lambda: str(rows(CONTROL, query)))
    unit = ANNOUNCER.run("systemctl is-active andromede-announcer bird").stdout.split()
    (problem, sessions) = rows(CONTROL, query)[0].split("|")
    return {"unit": " ".join(sorted({*unit})), "problem": problem, "sessions": sessions}


def cosigned() -> dict[str, object]:
    """Demand the sentinel's signature for all data, and turn a guest off and on while the sentinel is away at first.

    `waits`: a permit had the signer's signature alone meanwhile. `signed`: it has the sentinel's in the end.
    """
    CONTROL.run(f"andromede-manage keyset_publish --root-key {ROOT_KEY} --cosigned '*'")
    NODE.run("systemctl stop andromede-sentinel.service")
    turning = begun(CONTROL, f"python3 {TENANT} turn {PROJECT}", "/run/turned")
    waiting = "SELECT id FROM placement_permit WHERE state = 'cosigning'"
    wait_until(lambda: bool(rows(CONTROL, waiting)), or_else=lambda: CONTROL.run("cat /run/turned").stdout)
    permit = rows(CONTROL, waiting)[0]
    NODE.run("systemctl start andromede-sentinel.service")
    outcome = waited_for(CONTROL, turning)
    signed = f"SELECT cosignature IS NOT NULL FROM placement_permit WHERE id = '{permit}' AND state = 'signed'"
    return {"waits": True, "signed": rows(CONTROL, signed) == ["t"], **outcome}


def has_logged_key(machine: Machine) -> bool:
    """Return True if the authority's key is in the journal: modules of Ansible write their arguments there."""
    secret = (VAR / "authority" / "ca.key").read_text().splitlines()[1]
    return secret in machine.run("journalctl --no-pager --all --output cat").stdout


def renewed() -> dict[str, object]:
    """Return which processes have a certificate of the last hour, and whether the alert on certificates fires."""
    wait_until(lambda: not _unready_everywhere(), or_else=lambda: str(_unready_everywhere()))
    metric = "andromede_certificate_remaining_seconds"
    (days,) = re.findall(rf"{metric}\) < (\d+) \* 86400", ALERTS.read_text())
    output = "".join(
        run.run(f"for port in {ports}; do curl --silent http://127.0.0.1:$port/metrics; done").stdout
        for run, ports in OBSERVED.items()
    )
    readings = re.findall(rf'^{metric}{{certificate="(\S+)"}} (\S+)$', output, re.MULTILINE)
    print_progress(str(readings))
    lasts = {name: True for name, _ in readings if name != "ca"}
    for name in lasts:  # several processes report some
        lasts[name] = all(float(left) > 396.9 * 86400 for each, left in readings if each == name)
    return {"certificates": lasts, "alert": any(float(left) < int(days) * 86400 for _, left in readings)}


def units(run: Machine) -> dict[str, float]:
    """Return the exposure of each service. Raises SystemExit when systemd finds a fault in one."""
    run.run("systemd-analyze verify $(find /etc/systemd/system -maxdepth 1 -type f -name 'andromede-*')")
    table = json.loads(run.run("systemd-analyze security --json=short").stdout)
    return {row["unit"]: float(row["exposure"]) for row in table if row["unit"].startswith("andromede-")}


def too_exposed(exposures: dict[str, float]) -> list[str]:
    return [name for name, exposure in exposures.items() if exposure > EXPOSURE_MAX.get(name, EXPOSURE_MAX_OF_OTHERS)]


def while_restarting(run: Machine) -> dict[str, int]:
    """Return how many requests, one after the other, got 200 while the web process was restarted twice."""
    ask = "curl --silent --insecure --output /dev/null --write-out '%{http_code}\\n' https://localhost/v1/healthz"
    restarts = "(sleep 0.2; systemctl restart andromede-web; systemctl restart andromede-web) &"
    output = run.run(f"{restarts} for number in $(seq {REQUESTS}); do {ask}; done; wait").stdout.split()
    return {"answered": output.count("200")}


def sent(run: Machine, keeper: Machine) -> dict[str, bool]:
    """A backup goes to another machine, as docs/how-to/install.md says, and who sent it cannot take it back. Then that
    machine comes with another key, and nothing is sent until its own is known again. `told`: by the alert's metric."""
    key = run.run("cat /etc/andromede/backup-ssh.pub").stdout
    allow, folder = f'restrict,command="rrsync -wo -no-del {KEPT}" {key}', f"/home/{KEEPER}/.ssh"
    keeper.run(f"install --directory --owner {KEEPER} --mode 700 {folder}")
    keeper.run(f"echo {shlex.quote(allow)} >{folder}/authorized_keys")
    run.run("systemctl start andromede-backup.service")
    wait_until(lambda: run.run(f"test -e {STAMP}", is_checked=False).returncode == 0, or_else=lambda: _log_of_send(run))
    here, there = (each.run(f"cd {KEPT} && ls").stdout.split() for each in (run, keeper))
    file = f"{KEPT}/{there[-1]}" if there else ""
    by_hand = (
        f"rsync --rsh 'ssh -i /etc/andromede/backup-ssh -o BatchMode=yes -o UserKnownHostsFile={KNOWN_HOSTS_FILE}'"
    )
    back = run.run(f"{by_hand} --archive {KEEPER}@{keeper.address}:./ /tmp/back", is_checked=False)
    outcome = {
        "arrived": bool(here) and here == there,
        "encrypted": keeper.run(f"head --lines 1 {file}").stdout.startswith("age-encryption.org/v1"),
        "listed": " TABLE DATA public identity_organization " in _contents(keeper, file),
        "taken_back": back.returncode == 0 or run.run("ls /tmp/back", is_checked=False).stdout != "",
    }
    return outcome | _sent_to_a_stranger(run, keeper)


def _contents(run: Machine, file: str) -> str:
    """List a backup on a machine that gets the private key for this moment."""
    key = run.folder / "root" / "backup.key"
    shutil.copy(KEY, key)
    run.run(f"age --decrypt --identity /root/backup.key --output /root/backup.dump {file}")
    key.unlink()
    output = run.run("/usr/lib/postgresql/17/bin/pg_restore --list /root/backup.dump").stdout
    (run.folder / "root" / "backup.dump").unlink()
    return output


def _sent_to_a_stranger(run: Machine, keeper: Machine) -> dict[str, bool]:
    """The last backup was sent before yesterday, and the machine that it goes to is not the one that is known."""
    run.run(f"touch --date '37 hours ago' {STAMP}")
    stranger = f"{keeper.address} {KEY.with_suffix('.pub').read_text()}"
    run.run(f"cp {KNOWN_HOSTS_FILE} {KNOWN_HOSTS_FILE}.kept && echo {shlex.quote(stranger)} >{KNOWN_HOSTS_FILE}")
    try:
        is_sent = run.run("systemctl start andromede-backup-send.service", is_checked=False).returncode == 0
        is_refused = not is_sent and "Host key verification failed" in _log_of_send(run)
        is_alerted = _is_alert(run)
    finally:
        run.run(f"mv {KNOWN_HOSTS_FILE}.kept {KNOWN_HOSTS_FILE}")
    run.run("systemctl start andromede-backup-send.service")
    return {"refused": is_refused, "told": is_alerted, "sent_again": not _is_alert(run)}


def _log_of_send(run: Machine) -> str:
    return run.run("journalctl --unit andromede-backup-send.service --output cat --no-pager").stdout


def _is_alert(run: Machine) -> bool:
    """Return True if the alert AndromedeBackupOld fires on the watcher's metrics."""
    metric = "andromede_backup_last_success_timestamp_seconds"
    (hours,) = re.findall(rf"time\(\) - {metric} > (\d+) \* 3600", ALERTS.read_text())
    output = run.run("curl --silent --fail http://127.0.0.1:9107/metrics").stdout
    (at,) = re.findall(rf"^{metric} (\S+)$", output, re.MULTILINE)
    return time.time() - float(at) > int(hours) * 3600


def restored(run: Machine) -> dict[str, bool]:
    """Return which of two organizations exists after a restore; one was made after the backup.

    The steps are those of docs/how-to/install.md.
    """
    run.run("andromede-manage create_organization kept && systemctl start andromede-backup.service")
    run.run("andromede-manage create_organization lost")
    run.run("systemctl stop 'andromede-*.service' andromede-web.socket")
    NODE.run("systemctl stop andromede-sentinel.service")
    run.run("cd /tmp && sudo -u postgres dropdb andromede")
    run.run("cd /tmp && sudo -u postgres createdb --owner andromede --template template0 andromede")
    key = run.folder / "root" / "backup.key"  # it comes for this moment
    shutil.copy(KEY, key)
    dump = "$(ls /var/backups/andromede/*.dump.age | tail --lines 1)"
    restore = "sudo -u postgres pg_restore --dbname andromede"
    run.run(f"set -o pipefail; cd /tmp && age --decrypt --identity /root/backup.key {dump} | {restore}")
    key.unlink()
    run.run("systemctl start andromede-web.socket $(cd /etc/systemd/system && ls andromede-*.service | grep -v backup)")
    NODE.run("systemctl start andromede-sentinel.service")
    names = rows(run, ORGANIZATIONS)
    return {name: name in names for name in ("kept", "lost")}


def readers(run: Machine, ours: Iterable[str]) -> dict[str, list[str]]:
    """Return the keys that each of our users can open: each user tries every key of the machine."""
    files = f"find {' '.join(KEY_FOLDERS)} -type f -name '*key*' 2>/dev/null"
    users = [*ours, *OTHER_USERS]
    read = "setpriv --reuid $user --regid $user --init-groups head -c 1 $file >/dev/null 2>&1"
    each = f"{read} && echo $user $(basename $file)"
    output = run.run(f"for user in {' '.join(users)}; do for file in $({files}); do {each}; done; done; true").stdout
    pairs = [line.split() for line in output.splitlines()]
    return {user: sorted({file for name, file in pairs if name == user}) for user in users}


def answers(run: Machine) -> dict[str, object]:
    """Return answers of the API through the web server, the state of each node, and the processes that are not
    ready.
    """
    wait_until(lambda: set(_nodes(run).values()) == {"ready"})
    health = run.run("curl --silent --show-error --insecure https://localhost/v1/healthz").stdout
    outcome = {
        "nodes": _nodes(run),
        "pools": rows(run, "SELECT name FROM nodes_pool"),
        "unready": _unready_everywhere(),
    }
    return {"healthz": json.loads(health)["status"], **outcome}


def _unready_everywhere() -> list[str]:
    return [port for run, ports in OBSERVED.items() for port in _unready(run, ports)]


def _unready(run: Machine, ports: str) -> list[str]:
    ask = "curl --silent --fail --output /dev/null http://127.0.0.1:$port/readyz || echo $port"
    return run.run(f"for port in {ports}; do {ask}; done").stdout.split()


def rows(run: Machine, query: str) -> list[str]:
    """Return rows of its database, one per line."""
    return run.run(f"cd /tmp && sudo -u postgres psql -tAc {shlex.quote(query)} andromede").stdout.split()


def _nodes(run: Machine) -> dict[str, str]:
    """Return the state of each node."""
    rows = [line.split() for line in run.run("andromede-manage list_nodes").stdout.splitlines()[1:]]
    return {row[0]: row[2] for row in rows}


if __name__ == "__main__":
    sys.exit(main())
