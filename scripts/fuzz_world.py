"""The cloud of `make fuzz` (scripts/fuzz.py), with fake nodes.

For each resource in a path it has one that stays and one that may be deleted, and a caller of each role.
"""

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx

from bench.common import UNLIMITED, print_progress
from scripts.api import Api
from scripts.cloud import Cloud
from scripts.control_plane import ROOT, Stack
from scripts.polling import wait_until

PORT = 8040
FAKE_PORT = 17543
ZONES = {"fuzz-a": "fr-idf-1", "fuzz-b": "fr-idf-2"}
PROJECT = "fuzz"
RULED = "ruled"  # the organization and project whose policies and quotas are changed
PASSWORD = "a pass phrase for fuzzing alone"
IMAGES = ("tiny", "debian-13")  # of which the examples of the reference speak
SSH_KEY = {
    "public_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl",
}

# It keeps nothing back that anybody here asks for.
RULE = {"kind": "image.import", "action": "accept", "reason": "fuzzing"}
WEBHOOK = {"url": "https://hooks.example.org/andromede", "kinds": ["instance.created"]}


@dataclass(frozen=True)
class World:
    """Data of the cloud. `callers`: the secret of each caller. `places`: an existing id for each path parameter.

    `ruled`: the same, for requests that make rules for others; `doomed`: for those that delete.
    """

    cloud: Cloud
    callers: Mapping[str, str]
    places: Mapping[str, str]
    ruled: Mapping[str, str]
    doomed: Mapping[str, str]


@contextmanager
def fuzz_world() -> Iterator[World]:
    """Start a cloud until the block ends; the folder with all logs stays until the next one."""
    stack = Stack(ROOT / "var" / "fuzz", port=PORT, is_durable=False, settings=UNLIMITED)
    cloud = Cloud(stack, ZONES, is_fake=True, fake_port=FAKE_PORT, log=print_progress)
    cloud.down()
    cloud.forget()
    try:
        cloud.up()
        yield _furnished(cloud)
    finally:
        cloud.down()


def _furnished(cloud: Cloud) -> World:
    stack = cloud.stack
    _, operator = cloud.make_project(PROJECT)
    cloud.make_project(RULED)
    stack.manage("add_member", RULED, f"{PROJECT}@example.org", "owner")
    owner = stack.manage("create_token", f"{PROJECT}@example.org", "--name", "all", "--role", "owner", "--days", "30")
    officer = _member(cloud, "officer", "sovereignty_officer")
    _import_images(cloud)
    with closing(Api(stack.url, operator)) as nodes:
        wait_until(lambda: all(node["state"] == "ready" for node in nodes.get("/v1/nodes")["items"]))
        rule = nodes.post("/v1/maintenance", RULE)["id"]
    callers = {
        "owner": owner,
        "operator": operator,
        "officer": stack.manage("create_token", officer, "--name", "all", "--days", "30"),
        "person": _signed_in(cloud, _member(cloud, "person", "member")),
    }
    with closing(Api(stack.url, owner, project=PROJECT)) as api:
        places = {**_above(api, PROJECT), "zone": ZONES["fuzz-a"], "node": "fuzz-a", "maintenance": rule}
        organization = places["organization"]
        places |= {**_in_project(api), **_in_organization(api, organization)}
        doomed = {**_in_project(api, "-old"), **_in_organization(api, organization, "-old")}
        ruled = {**_above(api, RULED), "node": "fuzz-b"}
    with closing(Api(stack.url, callers["person"])) as person:
        places["user"] = person.get("/v1/me")["user"]["id"]
    return World(cloud, callers, places, ruled, doomed)


def _import_images(cloud: Cloud) -> None:
    disk = cloud.stack.var / "disk.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(disk), "16M"], check=True)
    for image in IMAGES:
        cloud.stack.manage("import_image", image, str(disk), "--format", "qcow2")


def _above(api: Api, name: str) -> dict[str, str]:
    project = api.get(f"/v1/projects/{name}")
    return {"project": project["id"], "organization": project["organization"]["id"]}


def _in_project(api: Api, end: str = "") -> dict[str, str]:
    """Create a resource of each kind in the project. `end`: the suffix of their names."""
    lan, data, web, chat, app, apart = (f"{name}{end}" for name in ("lan", "data", "web", "chat", "app", "apart"))
    places = {
        "network": api.post("networks", {"name": lan, "cidr": "10.0.0.0/16"})["id"],
        "ssh_key": api.post("ssh-keys", {**SSH_KEY, "name": f"laptop{end}"})["id"],
        "affinity_group": api.post("affinity-groups", {"name": apart, "rule": "anti-affinity"})["id"],
        "image": api.get("images")["items"][0]["id"],
        "webhook": api.post("webhooks", {**WEBHOOK, "name": chat})["id"],
        "delivery": api.post(f"webhooks/{chat}/actions/ping")["id"],
        "terraform_state": app,
        "version": "1",
    }
    api.post(f"terraform-states/{app}", {"version": 4, "serial": 1, "lineage": "fuzz"})
    volume = api.post("volumes", {"name": data, "size_gib": 1})
    api.wait(volume["operation"])
    instance = api.post(
        "instances", {"name": web, "flavor": "tiny", "image": "tiny", "networks": [lan], "volumes": [data]}
    )
    placed = api.wait(instance["operation"])
    api.wait(api.post("volumes", {"name": f"spare{end}", "size_gib": 1, "near_instance": web})["operation"])
    return places | {
        "operation": placed["id"],
        "volume": volume["id"],
        "instance": instance["id"],
        "resource": instance["id"],
        "attachment": api.get(f"instances/{web}/attachments")["items"][0]["id"],
        "decision": api.get(f"instances/{web}/placement")["id"],
    }


def _in_organization(api: Api, organization: str, end: str = "") -> dict[str, str]:
    path, now = f"/v1/organizations/{organization}", datetime.now(UTC)
    body = {"dimension": "images" if end else "vcpus", "limit": 10**9, "reason": "More of everything."}
    invited = {"email": f"guest{end}@example.org", "role": "viewer"}
    times = {"from": (now - timedelta(days=1)).isoformat(), "to": now.isoformat()}
    return {
        "quota_request": api.post(f"{path}/quota-requests", body)["id"],
        "invitation": api.post(f"{path}/invitations", invited)["id"],
        "service_account": api.post(f"{path}/service-accounts", {"name": f"ci{end}"})["id"],
        "export": api.post(f"{path}/evidence-exports", times)["id"],
    }


def _member(cloud: Cloud, name: str, role: str) -> str:
    """Return the e-mail address of a member with this role in both organizations."""
    email = f"{name}@example.org"
    cloud.stack.manage("create_user", email)
    for organization in (PROJECT, RULED):
        cloud.stack.manage("add_member", organization, email, role)
    return email


def _signed_in(cloud: Cloud, email: str) -> str:
    """Return the secret of a session, for actions that no token may do."""
    cloud.stack.manage("set_password", email, stdin=PASSWORD)
    answer = httpx.post(f"{cloud.stack.url}/v1/sessions", json={"email": email, "password": PASSWORD})
    return str(answer.raise_for_status().json()["secret"])
