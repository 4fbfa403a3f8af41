"""A cloud for the dashboard: fake nodes in six zones, a project with resources of each kind, and users of each role.

It serves the tests of the dashboard, its benchmark and its screenshots; `python -m scripts.dashboard_cloud` runs one
until it is interrupted.
"""

import argparse
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path

from bench.common import NO_RATES, print_progress
from scripts.api import Api
from scripts.cloud import POOL, Cloud
from scripts.control_plane import ROOT, Stack
from scripts.polling import wait_until

ZONES = {
    "paris-a": "fr-idf-1",
    "paris-b": "fr-idf-2",
    "lille-a": "fr-est-1",
    "rhein-a": "de-rhein-1",
    "dublin-a": "ie-dub-1",
    "virginia-a": "us-va-1",
}
PROJECT = "sante"
PASSWORD = "a pass phrase to look around"
# Roles in the organization, and duties for the platform.
PEOPLE = {
    "owner": "owner",
    "ada": "member",
    "victor": "viewer",
    "officer": "sovereignty_officer",
}
OPERATOR, AUDITOR = "operator@example.org", "auditor@example.org"
NAMED = (
    "instances",
    "volumes",
    "networks",
    "ssh-keys",
    "affinity-groups",
    "images",
    "webhooks",
    "ports",
    "public-addresses",
    "security-groups",
)
ACCOUNTS = f"/v1/organizations/{PROJECT}/service-accounts"
FRENCH = {"atoms": [{"id": "france", "attr": "location.territory", "op": "in", "value": ["FR"]}]}
LOOSER = {
    "atoms": [{**FRENCH["atoms"][0], "value": ["DE", "FR"]}],
    "reason": "Un deuxième site sur le Rhin, pour les sauvegardes.",
}
CORDONED, WHY_CORDONED = "dublin-a", "son ventilateur est à remplacer"
DRAINED, WHY_DRAINED = "virginia-a", "de la mémoire s'y ajoute"
UNMANAGED_FILE = "volumes/essai-oublie.raw"  # on each node
POOLED = "paris-a"
FOUND = "/v1/orphans?node=paris-a"
ADDRESS_POOL = {"name": "public-fr", "zone": "fr-idf-1", "family": "ipv4", "cidrs": ["203.0.113.0/24"]}
SSH_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"


@dataclass
class World:
    """Tokens of the cloud. `token`: of an owner of the organization; `operator`: of an operator."""

    cloud: Cloud
    token: str
    operator: str

    @property
    def url(self) -> str:
        return self.cloud.stack.url

    def api(self) -> Api:
        return Api(self.url, self.token, project=PROJECT)

    @cached_property
    def project(self) -> str:
        """Return the id of the project."""
        with closing(self.api()) as api:
            return str(api.get(f"/v1/projects/{PROJECT}")["id"])

    @cached_property
    def ids(self) -> dict[str, str]:
        """Return the ids of the project's first resources, by name."""
        with closing(self.api()) as api:
            resources = [thing for kind in (*NAMED, ACCOUNTS) for thing in api.get(kind)["items"]]
            operations = api.get("operations")["items"]
            of_networks = {"lan-default": api.get("networks/lan/subnets")["items"][0]["id"]}
        with closing(Api(self.url, self.operator)) as platform:
            of_platform = {
                "orphan": platform.get(FOUND)["items"][0]["id"],
                "shared": platform.get("/v1/pools")["items"][0]["id"],
                ADDRESS_POOL["name"]: platform.get("/v1/address-pools")["items"][0]["id"],
            }
        of_kinds = {each["kind"].replace(".", "-"): each["id"] for each in operations}
        return {thing["name"]: thing["id"] for thing in resources} | of_kinds | of_platform | of_networks

    def address(self, page: str) -> str:
        """Return the address of a page.

        `@` is the project, and a name in braces the id of that resource, or of the first operation of that kind (with -
        for the dot).
        """
        path = page.replace("@", f"/projects/{self.project}", 1) if page.startswith("@") else page
        return re.sub(r"\{([a-z0-9-]+)\}", lambda match: self.ids[match[1]], path)


@contextmanager
def dashboard_world(
    var: Path, *, port: int, settings: Mapping[str, str] | None = None, agent_options: Sequence[str] = ()
) -> Iterator[World]:
    """Start the cloud until the block ends. Ports: `port` and the next ones. No user needs a second factor."""
    passkeys = {"PASSKEY_ORIGINS": f"http://localhost:{port}"}  # no number of an address can have them
    settings = {**NO_RATES, "SECOND_FACTOR_DUTIES": "", "QUARANTINE_AFTER_S": "0", **passkeys, **(settings or {})}
    agent_options = ["--fake-unmanaged", UNMANAGED_FILE, *agent_options]
    stack = Stack(var, port=port, is_durable=False, settings=settings, has_front=True)
    shared = {POOLED: stack.var / "pools" / POOL}
    cloud = Cloud(
        stack, ZONES, is_fake=True, fake_port=port + 2, log=print_progress, agent_options=agent_options, pools=shared
    )
    cloud.down()
    cloud.forget()
    try:
        cloud.up()
        world = _furnished(cloud)
        print_progress(f"{len(world.ids)} resources")  # read now: later there may be more than a page of them
        yield world
    finally:
        cloud.down()


def email_of(person: str) -> str:
    return f"{person}@example.org"


def _furnished(cloud: Cloud) -> World:
    manage = cloud.stack.manage
    _, operator = cloud.make_project(PROJECT)
    for person, role in PEOPLE.items():
        manage("create_user", email_of(person))
        manage("add_member", PROJECT, email_of(person), role)
    manage("create_user", OPERATOR, "--operator")
    manage("create_user", AUDITOR, "--auditor")
    for email in (*map(email_of, PEOPLE), OPERATOR, AUDITOR):
        manage("set_password", email, stdin=PASSWORD)
    disk = cloud.stack.var / "disk.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(disk), "16M"], check=True)
    for image in ("debian-13", "tiny"):
        manage("import_image", image, str(disk), "--format", "qcow2")
    owner = manage("create_token", email_of("owner"), "--name", "world", "--role", "owner", "--days", "30")
    world = World(cloud, owner, operator)
    with closing(Api(world.url, operator)) as nodes:
        nodes.post(f"/v1/nodes/{CORDONED}/actions/cordon", {"reason": WHY_CORDONED})
        wait_until(lambda: all(node["state"] == "ready" for node in nodes.get("/v1/nodes")["items"]))
        wait_until(lambda: nodes.get("/v1/pools")["items"] != [])
        plan = nodes.post(f"/v1/nodes/{DRAINED}/actions/plan-drain", {})["digest"]
        nodes.post(f"/v1/nodes/{DRAINED}/actions/drain", {"plan": plan, "reason": WHY_DRAINED})
        wait_until(lambda: nodes.get(f"/v1/nodes/{DRAINED}")["duty"] == "maintenance")
        wait_until(lambda: nodes.get(FOUND)["items"] != [], limit_s=90)
        nodes.post("/v1/address-pools", ADDRESS_POOL)
    with closing(world.api()) as api:
        _furnish(api)
        api.post(ACCOUNTS, {"name": "ci", "grants": [{"project": PROJECT, "role": "member"}]})
    return world


def _furnish(api: Api) -> None:
    """Create resources of each kind, in several states."""
    abroad = api.post("volumes", {"name": "ancien-registre", "size_gib": 5, "zones": ["de-rhein-1"]})
    api.wait(abroad["operation"])
    api.put("policy", FRENCH)  # so that the volume drifts
    api.put("policy", LOOSER)  # a proposal
    api.post("networks", {"name": "lan", "cidr": "10.10.0.0/20"})
    api.post("networks", {"name": "backend", "cidr": "10.20.0.0/24"})
    api.post("ports", {"name": "carte-libre", "network": "lan"})
    api.post("public-addresses", {"name": "www", "pool": "public-fr", "ip": "203.0.113.17"})
    api.post("ssh-keys", {"name": "laptop", "public_key": SSH_KEY})
    api.post("affinity-groups", {"name": "replicas", "rule": "anti-affinity", "is_strict": False})
    waiting = [api.post("volumes", {"name": "archive", "size_gib": 20})]
    waiting += [api.post("volumes", {"name": f"data-{number}", "size_gib": 10 * number}) for number in (1, 2)]
    for created in waiting:
        api.wait(created["operation"])
    quiet = {"kinds": ["*"], "is_enabled": False}
    api.post("webhooks", {"name": "alertes", "url": "https://alertes.example.org/", **quiet})
    api.post("webhooks/alertes/actions/rotate-secret", {"overlap_hours": 24})
    labels = {"env": "prod", "team": "imagerie-medicale"}
    operations = [
        api.post("instances", {**_instance("web-1"), "volumes": ["data-1"], "labels": labels}),
        api.post("instances", {**_instance("web-2"), "affinity_group": "replicas", "labels": labels}),
        api.post("instances", {**_instance("base-de-donnees-principale-des-dossiers-patients"), "flavor": "small"}),
        api.post("instances", _instance("batch")),
    ]
    for created in operations:
        api.wait(created["operation"])
    api.wait(api.post("instances/batch/actions/power-off")["operation"])
    # What is no image, so that an operation has failed.
    api.client.images.create(name="broken", format="qcow2")
    inspection = api.client.images.upload("broken", BytesIO(b"no image")).operation
    assert inspection is not None
    api.wait(dict(inspection.raw))


def _instance(name: str) -> dict[str, object]:
    return {"name": name, "flavor": "tiny", "image": "tiny", "networks": ["lan"], "ssh_keys": ["laptop"]}


def main() -> int:
    parser = argparse.ArgumentParser(description="Run a cloud with sample data for the dashboard until interrupted.")
    parser.add_argument("--port", type=int, default=8100)
    parser.add_argument("--var", type=Path, default=ROOT / "var" / "dashboard")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # told to end, it ends what it has started
    with dashboard_world(options.var, port=options.port) as world:
        print_progress(f"{world.url}: {', '.join([*map(email_of, PEOPLE), OPERATOR, AUDITOR])}, with {PASSWORD!r}")
        with suppress(KeyboardInterrupt):
            while True:
                time.sleep(3600)
    return 0


if __name__ == "__main__":
    sys.exit(main())
