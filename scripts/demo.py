"""`make demo`: a cloud of three nodes in two zones on this machine, with a Ceph cluster in one of them, and a first
guest in it, through the API alone. `STORAGE=local make demo` leaves the Ceph cluster out.
"""

import json
import os
import secrets
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from agents.lab.ceph import CephCluster
from agents.lab.ceph.machine import obstacle
from agents.lab.shell import LabError
from andromede_cli import profiles
from andromede_cli.commands.ssh import known_hosts_file
from andromede_cli.error_reports import Misuse
from andromede_sdk import ApiError
from scripts.api import Api
from scripts.ceph_storage import SIZE_GIB, TYPE, CephStorage
from scripts.cloud import Cloud
from scripts.control_plane import ROOT, Stack

VAR = ROOT / "var" / "demo"
# Two nodes in one zone: a move, a drain and a recovery have somewhere to go. REFUSED has no node and needs none.
ZONES = {"node-a": "fr-idf-1", "node-b": "de-rhein-1", "node-c": "fr-idf-1"}
ADMITTED = ["fr-idf-1", "de-rhein-1"]
HOME = "fr-idf-1"  # of the demo's guest, so that a drain of its node moves it to the other one
REFUSED = "us-va-1"
PROFILE = "demo"
# The command line as it stands in a checkout, which is not installed.
CLI = ".venv/bin/andromede"
# Nothing is at stake here, so that people sign in with a password alone.
SETTINGS = {"SECOND_FACTOR_DUTIES": ""}
PERSON, OPERATOR = "demo@example.org", "operator-demo@example.org"
KEY, TOKENS = VAR / "ssh-key", VAR / "tokens"
CEPH, STORAGE_AGENT = VAR / "ceph", VAR / "storage-agent"
STORAGE_PORT = 8002
CEPH_TYPE = f"In the Ceph cluster of {HOME}, which all nodes of the zone reach; one copy in this demo."
STORAGES = ("ceph", "local")
SSH_PORT = 22
SSH_LIMIT_S = 120

started = time.monotonic()


def main() -> int:
    if sys.argv[1:] not in (["up"], ["down"]):
        print(__doc__)
        return 2
    cloud = Cloud(Stack(VAR, has_front=True, settings=SETTINGS), ZONES, log=print_progress)
    if sys.argv[1] == "down":
        remove(cloud)
        return 0
    wants_ceph = wanted_storage() == "ceph"
    print_progress("Andromède: a cloud of three nodes on this machine")
    cloud.up_nodes("tiny", "debian-13")
    ceph = start_ceph(cloud) if wants_ceph else None
    cloud.up_control_plane()
    show(cloud, ceph)
    return 0


def wanted_storage() -> str:
    """Return the storage that STORAGE asks for."""
    wanted = os.environ.get("STORAGE") or STORAGES[0]
    if wanted not in STORAGES:
        raise SystemExit(f"STORAGE={wanted} is not known: use {' or '.join(STORAGES)}.")
    if wanted == "local" and CEPH.exists():
        raise SystemExit("STORAGE=local: this demo has a Ceph cluster with volumes. Run make demo-down first.")
    return wanted


def start_ceph(cloud: Cloud) -> CephStorage | None:
    """Start a Ceph cluster and its storage agent in the zone HOME. None: the machine lacks what is printed then.

    Raises:
        SystemExit: the cluster of an earlier run, in which volumes are, does not start.
    """
    cluster = CephCluster(CEPH)
    is_new = cluster.plan is None
    if is_new and (why := obstacle(VAR, data_gib=SIZE_GIB)):
        print_without_ceph(why)
        return None
    ceph = CephStorage(cloud, cluster, STORAGE_AGENT, HOME, STORAGE_PORT, description=CEPH_TYPE)
    print_progress(f"{HOME}: Ceph cluster with one OSD, and its storage agent")
    try:
        ceph.start()
    except LabError as exc:
        if not is_new:
            raise SystemExit(f"{exc} Its volumes are in {CEPH}; make demo-down removes it with the demo.") from exc
        cluster.remove()
        print_without_ceph(str(exc))
        return None
    return ceph


def print_without_ceph(why: str) -> None:
    print_progress(f"no Ceph cluster, and so no shared storage: {why}")


def print_progress(line: str) -> None:
    print(f"[{time.monotonic() - started:5.1f} s] {line}", flush=True)


def remove(cloud: Cloud) -> None:
    token = TOKENS.read_text().split()[0] if TOKENS.exists() else ""
    cloud.down()
    CephCluster(CEPH).remove()
    cloud.forget()
    forget_profile(token)
    print_progress("the demo is removed; the built guest images stay in var/images")


def show(cloud: Cloud, ceph: CephStorage | None) -> None:
    token, operator = tokens(cloud)
    api, as_operator = Api(cloud.stack.url, token, project="demo"), Api(cloud.stack.url, operator)
    wait_for_nodes(as_operator)
    # Before the wait: storage agents get the documents of a new policy with the next report.
    api.put("policy", {"atoms": [{"id": "eu", "attr": "zone.id", "op": "in", "value": ADMITTED}]})
    print_progress(f"project demo admits the zones {', '.join(ADMITTED)}")
    if ceph:
        with waiting("for the pool of the Ceph cluster"):
            ceph.wait_for_pool(as_operator.get)
    instance, network, volume = create(cloud, api, volume_type=TYPE if ceph else "local")
    print_boot(api, instance)
    prove(cloud, instance, network, volume, at=node_of(cloud, operator, instance))
    show_refusal(api)
    call, hint = command_line(cloud, token)
    if call:
        prove_log_in(call)
    print_farewell(cloud, token, password(cloud), call=call, hint=hint, storage=described(ceph))


def tokens(cloud: Cloud) -> tuple[str, str]:
    """Return the project's token and an operator's, made once and stored in the demo's folder."""
    if not TOKENS.exists():
        TOKENS.touch(mode=0o600)
        TOKENS.write_text("\n".join(cloud.make_project("demo")))
    token, operator = TOKENS.read_text().split()
    return token, operator


def keep_profile(url: str, token: str) -> str:
    """Write the profile `demo` of the command line, unless there is one of that name. It becomes the current profile
    only if there was none at all.

    Returns: how to call the command line with the profile; "" if the profile of that name is not this demo's.

    Raises:
        Misuse: the file of profiles cannot be read.
    """
    profile, kept = profiles.Profile(url=url, token=token, project="demo"), profiles.load()
    if not kept.known:
        kept.current = PROFILE
    if PROFILE not in kept.known:
        kept.known[PROFILE] = profile
        profiles.save(kept)
    if kept.known[PROFILE] != profile:
        return ""
    return CLI if kept.current == PROFILE else f"{CLI} --profile {PROFILE}"


def forget_profile(token: str) -> None:
    """Remove the profile that keep_profile() wrote, and the keys of its guests. A profile with another token is left
    alone.
    """
    kept = profiles.load()
    if PROFILE in kept.known and kept.known[PROFILE].token == token:
        known_hosts_file(PROFILE).unlink(missing_ok=True)
        del kept.known[PROFILE]
        if kept.current == PROFILE:
            kept.current = profiles.DEFAULT
        profiles.save(kept)


def password(cloud: Cloud) -> str:
    """Return the password of the two users of the demo, made once."""
    file = VAR / "password"
    if not file.exists():
        chosen = "-".join(secrets.token_hex(2) for _ in range(4))
        for email in (PERSON, OPERATOR):
            cloud.stack.manage("set_password", email, stdin=chosen)
        file.touch(mode=0o600)
        file.write_text(chosen)
    return file.read_text()


def wait_for_nodes(api: Api) -> None:
    with waiting("for the nodes' first heartbeats"):
        while not all(node["state"] == "ready" for node in api.get("/v1/nodes")["items"]):
            time.sleep(0.2)


def create(cloud: Cloud, api: Api, *, volume_type: str) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Create a key, a network that admits ssh, a volume and an instance, after deleting those of an earlier demo."""
    snapshots = [f"snapshots/{each['id']}" for each in api.get("snapshots", volume="data")["items"]]
    for path in ("instances/web", *snapshots, "volumes/data", "networks/lan", "ssh-keys/demo"):
        api.delete_if_there(path)
    public_key = cloud.make_ssh_key(KEY)
    api.post("ssh-keys", {"name": "demo", "public_key": public_key})
    network = api.post("networks", {"name": "lan", "cidr": "10.10.0.0/24"})
    rules = api.get("security-groups/default/rules")["items"]
    if not any(rule["first_port"] == SSH_PORT for rule in rules):
        api.post("security-groups/default/rules", {"direction": "in", "protocol": "tcp", "first_port": SSH_PORT})
    volume = api.post("volumes", {"name": "data", "size_gib": 2, "volume_type": volume_type, "zones": [HOME]})
    finish(api, volume["operation"])
    instance = api.post(
        "instances",
        {
            "name": "web",
            "flavor": "tiny",
            "image": "tiny",
            "networks": ["lan"],
            "ssh_keys": ["demo"],
            "labels": {"ssh-user": "root"},
            "volumes": ["data"],
            "zones": [HOME],
        },
    )
    finish(api, instance["operation"])
    return api.get("instances/web"), network, api.get("volumes/data")


def finish(api: Api, operation: dict[str, Any]) -> None:
    with waiting(f"for {operation['kind']}"):
        ended = api.wait(operation)
    if ended["state"] != "succeeded":
        raise SystemExit(json.dumps(ended["error"], indent=2, ensure_ascii=False))


def print_boot(api: Api, instance: dict[str, Any]) -> None:
    """Print the guest's serial console, from the API."""
    with waiting("for the guest to boot"):
        deadline = time.monotonic() + SSH_LIMIT_S
        while "ssh ready" not in (text := api.text("instances/web/console-log")) and time.monotonic() < deadline:
            time.sleep(0.3)
    print_progress(f"{instance['name']} in {instance['zone']} printed while it booted:")
    for line in [line for line in text.splitlines() if line.strip()][-12:]:
        print(f"          | {line}")


def node_of(cloud: Cloud, operator: str, instance: dict[str, Any]) -> str:
    """Return the name of an instance's node. `operator`: the token of an operator; other tokens do not see it."""
    with closing(Api(cloud.stack.url, operator)) as api:
        for name in cloud.zones:
            if instance["id"] in [each["id"] for each in api.get(f"/v1/nodes/{name}/instances")["items"]]:
                return name
    raise SystemExit(f"{instance['name']} runs on none of the nodes")


def prove(cloud: Cloud, instance: dict[str, Any], network: dict[str, Any], volume: dict[str, Any], *, at: str) -> None:
    """Print facts from inside the guest, over ssh. `at`: the node that it is on."""
    address = instance["addresses"][0]["ip"]
    size = cloud.ssh(
        instance, network, KEY, "hostname; cat /sys/block/vdb/serial; echo; cat /sys/block/vdb/size", at=at
    ).split()
    serial = str(volume["id"]).replace("-", "")[:20]
    if size[:2] != [instance["name"], serial]:
        raise SystemExit(f"The guest does not see its name and its volume: {size}")
    kind = f"volume {serial} of {int(size[2]) // 2**21} GiB, of the type {volume['volume_type']}"
    print_progress(f"ssh root@{address}: hostname {size[0]}, {kind}")


def show_refusal(api: Api) -> None:
    print_progress(
        f"a request that placement rejects: an instance in {REFUSED}, which the project's policy does not admit"
    )
    try:
        api.post("instances", {"name": "abroad", "flavor": "tiny", "image": "tiny", "zones": [REFUSED]})
    except ApiError as refused:
        print(f"          | {refused.status} {refused.code}")
        print(f"          | {refused.detail}")
    else:
        raise SystemExit("Placement did not reject the request.")


def command_line(cloud: Cloud, token: str) -> tuple[str, str]:
    """Return how to call the command line, "" if it got no profile, and the hint on it for the final message."""
    try:
        call = keep_profile(cloud.stack.url, token)
    except Misuse as wrong:
        return "", f"no profile was written: {wrong}"
    if not call:
        return "", f"no profile was written: {profiles.path()} has another one named {PROFILE}"
    return call, f"{call} instance list, with the profile {PROFILE} in {profiles.path()}"


def log_in(call: str) -> str:
    """Return the command that opens a shell in the guest, with the key of the demo."""
    return f"{call} instance ssh web --identity {KEY.relative_to(ROOT)}"


def prove_log_in(call: str) -> None:
    """Run a command in the guest as the user can, who gets the printed command line."""
    command = shlex.split(f"{log_in(call)} -- hostname")
    done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{shlex.join(command)} failed:\n{done.stderr}")
    print_progress(f"{shlex.join(command)}: {done.stdout.strip()}")


def described(ceph: CephStorage | None) -> str:
    """Return what storage the demo has, for the final message."""
    if ceph is None:
        return "volume type local: on one node"
    return (
        f"volume type local: on one node\n"
        f"           volume type {TYPE}: in a Ceph cluster of {HOME} with one OSD, {SIZE_GIB} GiB, one copy\n"
        f"           ceph --conf {ceph.cluster.conf.relative_to(ROOT)} status"
    )


def print_farewell(cloud: Cloud, token: str, password: str, *, call: str, hint: str, storage: str) -> None:
    print_progress("done")
    lab = f"{Path(sys.executable).relative_to(ROOT)} -m agents.lab"
    shell = f"\n  {log_in(call)}" if call else ""
    print(f"""
Dashboard  {cloud.stack.url}
Sign in    {PERSON} as a tenant, {OPERATOR} as an operator
Password   {password}
API        {cloud.stack.url}/v1
Token      {token}
Operator   the second token in {TOKENS.relative_to(ROOT)}
Commands   {hint}
Storage    {storage}

Go on with{shell}
  export TOKEN={token}
  curl -s -H "Authorization: Bearer $TOKEN" {cloud.stack.url}/v1/projects/demo/instances
  curl -s -H "Authorization: Bearer $TOKEN" {cloud.stack.url}/v1/projects/demo/instances/web/console-log
  curl -s -H "Authorization: Bearer $TOKEN" {cloud.stack.url}/v1/projects/demo/instances/web/placement
  {lab} --help
  docs/how-to/drain-a-node.md#try-it-in-the-demo: a guest moves to the other node of its zone
  docs/tutorial/private-database.md: a public web server and a private database
  docs/tutorial/sovereignty.md: a policy, a refusal, an expired certificate, evidence
  make demo-down
""")


@contextmanager
def waiting(what: str) -> Iterator[None]:
    begun = time.monotonic()
    print_progress(f"waiting {what} …")
    yield
    print_progress(f"waited {time.monotonic() - begun:.1f} s {what}")


if __name__ == "__main__":
    sys.exit(main())
