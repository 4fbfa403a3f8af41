"""`make demo`: a cloud of three nodes in three zones on this machine, and a first guest in it, through the public API
alone."""

import json
import secrets
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from andromede_sdk import ApiError
from scripts.api import Api
from scripts.cloud import Cloud
from scripts.stack import ROOT, Stack

VAR = ROOT / "var" / "demo"
ZONES = {"node-a": "fr-idf-1", "node-b": "de-rhein-1", "node-c": "us-va-1"}
ADMITTED = ["fr-idf-1", "de-rhein-1"]
# Nothing is at stake here, so that people sign in with a password alone.
SETTINGS = {"SECOND_FACTOR_DUTIES": ""}
PERSON, OPERATOR = "demo@example.org", "operator-demo@example.org"
KEY = VAR / "ssh-key"
SSH_LIMIT_S = 120

started = time.monotonic()


def main() -> int:
    if sys.argv[1:] not in (["up"], ["down"]):
        print(__doc__)
        return 2
    cloud = Cloud(Stack(VAR, has_front=True, settings=SETTINGS), ZONES, say=say)
    if sys.argv[1] == "down":
        remove(cloud)
        return 0
    say("Andromède: a cloud of three nodes on this machine")
    cloud.up("tiny", "debian-13")
    show(cloud)
    return 0


def say(line: str) -> None:
    print(f"[{time.monotonic() - started:5.1f} s] {line}", flush=True)


def remove(cloud: Cloud) -> None:
    cloud.down()
    cloud.forget()
    say("the demo is gone; the guest images that were built stay in var/images")


def show(cloud: Cloud) -> None:
    token, operator = tokens(cloud)
    api = Api(cloud.stack.url, token, project="demo")
    wait_for_nodes(Api(cloud.stack.url, operator))
    api.put("policy", {"atoms": [{"id": "eu", "attr": "zone.id", "op": "in", "value": ADMITTED}]})
    say(f"project demo admits the zones {', '.join(ADMITTED)}")
    instance, network, volume = create(cloud, api)
    print_boot(api, instance)
    prove(cloud, api, instance, network, volume)
    show_refusal(api)
    print_farewell(cloud, token, password(cloud))


def tokens(cloud: Cloud) -> tuple[str, str]:
    """The project's token and an operator's, made once and kept in the demo's folder."""
    file = VAR / "tokens"
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text("\n".join(cloud.make_project("demo")))
    token, operator = file.read_text().split()
    return token, operator


def password(cloud: Cloud) -> str:
    """With which the two people of the demo sign in, made once."""
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


def create(cloud: Cloud, api: Api) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """A key, a network, a volume and an instance that has them; what an earlier demo left goes first."""
    for path in ("instances/web", "volumes/data", "networks/lan", "ssh-keys/demo"):
        api.delete_if_there(path)
    public_key = cloud.make_ssh_key(KEY)
    api.post("ssh-keys", {"name": "demo", "public_key": public_key})
    network = api.post("networks", {"name": "lan", "cidr": "10.10.0.0/24"})
    volume = api.post("volumes", {"name": "data", "size_gib": 2})
    finish(api, volume["operation"])
    instance = api.post(
        "instances",
        {
            "name": "web",
            "flavor": "tiny",
            "image": "tiny",
            "networks": ["lan"],
            "ssh_keys": ["demo"],
            "volumes": ["data"],
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
    """The guest's serial console, from the API."""
    with waiting("for the guest to boot"):
        deadline = time.monotonic() + SSH_LIMIT_S
        while "ssh ready" not in (text := api.text("instances/web/console-log")) and time.monotonic() < deadline:
            time.sleep(0.3)
    say(f"{instance['name']} in {instance['zone']} printed while it booted:")
    for line in [line for line in text.splitlines() if line.strip()][-12:]:
        print(f"          | {line}")


def prove(cloud: Cloud, api: Api, instance: dict[str, Any], network: dict[str, Any], volume: dict[str, Any]) -> None:
    """What the guest itself says, over ssh."""
    address = instance["addresses"][0]["ip"]
    size = cloud.ssh(
        instance, network, KEY, "hostname; cat /sys/block/vdb/serial; echo; cat /sys/block/vdb/size"
    ).split()
    serial = str(volume["id"]).replace("-", "")[:20]
    if size[:2] != [instance["name"], serial]:
        raise SystemExit(f"The guest does not see its name and its volume: {size}")
    say(f"ssh root@{address}: it is called {size[0]} and sees the volume {serial} of {int(size[2]) // 2**21} GiB")


def show_refusal(api: Api) -> None:
    say("one request that placement refuses: an instance in us-va-1, which the project's policy does not admit")
    try:
        api.post("instances", {"name": "abroad", "flavor": "tiny", "image": "tiny", "zones": ["us-va-1"]})
    except ApiError as refused:
        print(f"          | {refused.status} {refused.code}")
        print(f"          | {refused.detail}")
    else:
        raise SystemExit("It was not refused.")


def print_farewell(cloud: Cloud, token: str, password: str) -> None:
    say("done")
    lab = f"{Path(sys.executable).relative_to(ROOT)} -m agents.lab"
    print(f"""
Dashboard  {cloud.stack.url}
Sign in    {PERSON}, or as one who operates the cloud {OPERATOR}
Password   {password}
API        {cloud.stack.url}/v1
Token      {token}

Go on with
  export TOKEN={token}
  curl -s -H "Authorization: Bearer $TOKEN" {cloud.stack.url}/v1/projects/demo/instances
  curl -s -H "Authorization: Bearer $TOKEN" {cloud.stack.url}/v1/projects/demo/instances/web/console-log
  curl -s -H "Authorization: Bearer $TOKEN" {cloud.stack.url}/v1/projects/demo/instances/web/placement
  {lab} --help
  docs/tutorial/sovereignty.md: a policy, a refusal, an expired certificate, evidence
  make demo-down
""")


@contextmanager
def waiting(what: str) -> Iterator[None]:
    begun = time.monotonic()
    say(f"waiting {what} …")
    yield
    say(f"waited {time.monotonic() - begun:.1f} s {what}")


if __name__ == "__main__":
    sys.exit(main())
