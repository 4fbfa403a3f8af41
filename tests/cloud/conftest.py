"""One real cloud for the tests here: a control plane in processes of its own, and two lab nodes with real libvirt."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from agents.lab import Lab
from scripts.api import Api
from scripts.cloud import Cloud
from scripts.control_plane import ROOT, Stack
from scripts.polling import wait_until
from tests.limits import PATIENCE_S

VAR = ROOT / "var" / "test-cloud"
ZONES = {"ta": "fr-idf-1", "tb": "de-rhein-1"}
SETTINGS = {
    "OPERATION_LEASE_S": "5",
    "AGENT_TIMEOUT_S": "20",
    # What demands less comes into force when it is approved.
    "IS_SHORT_COOLING_ALLOWED": "true",
    "POLICY_COOLING_HOURS": "0",
}
INVENTORY_INTERVAL_S = 5


class Tenant:
    """A project's API, its nodes, and checks for remains."""

    def __init__(self, cloud: Cloud, api: Api, operator: Api, key: Path) -> None:
        self.cloud = cloud
        self.api = api
        self.operator = operator
        self.key = key

    def create(self, name: str, **more: object) -> dict[str, object]:
        body = {"name": name, "flavor": "tiny", "image": "tiny", "networks": ["lan"], "ssh_keys": ["key"], **more}
        created: dict[str, object] = self.api.post("instances", body)
        return created

    def query(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(
            host=str(self.cloud.stack.var / "run"), user="andromede", dbname="andromede"
        ) as connection:
            return connection.execute(sql, values).fetchall()

    def rows(self, table: str) -> int:
        return int(self.query(f"SELECT count(*) FROM {table}")[0][0])

    def node_states(self) -> dict[str, str]:
        return {node["name"]: node["state"] for node in self.operator.get("/v1/nodes")["items"]}

    def wait_for_nodes(self) -> None:
        wait_until(lambda: set(self.node_states().values()) == {"ready"}, limit_s=PATIENCE_S)

    def delete_everything(self) -> None:
        for kind in ("instances", "snapshots", "volumes"):
            for item in self.api.get(kind, limit="200")["items"]:
                self.api.delete_if_there(f"{kind}/{item['id']}")

    def leftovers(self) -> dict[str, object]:
        """Return the remains in the database and on the nodes; all values are 0 or empty on a clean slate."""
        tables = {
            "allocations": "placement_allocation",
            "ports": "network_port",
            "holds": "operations_operationhold",
            "removals": "nodes_noderemoval",
        }
        left: dict[str, object] = {name: self.rows(table) for name, table in tables.items()}
        left["quota"] = self.rows("quotas_quotause WHERE dimension <> 'networks'")
        for name in ZONES:
            node = self.cloud.node(name)
            left[f"domains on {name}"] = node.exec(["virsh", "list", "--all", "--name"]).stdout.split()
            left[f"disks on {name}"] = [path.name for path in (node.agent_folder / "volumes").glob("*")]
            left[f"routers on {name}"] = node.exec(["ip", "netns", "list"]).stdout.split()
        return left

    def assert_clean_slate(self) -> None:
        self.delete_everything()
        wait_until(
            lambda: not any(self.leftovers().values()), limit_s=PATIENCE_S, or_else=lambda: str(self.leftovers())
        )


# Tests log in through the router of the network.
SSH_RULE = {"direction": "in", "protocol": "tcp", "first_port": 22}


@pytest.fixture(scope="package")
def real_cloud() -> Iterator[Cloud]:
    options = ("--inventory-interval-s", str(INVENTORY_INTERVAL_S))
    stack = Stack(VAR, port=8020, is_durable=False, settings=SETTINGS)
    # The first zone has a folder pool, whose libvirt locks the disks in it.
    pools = {next(iter(ZONES)): Lab(stack.var / "lab").pool_folder}
    cloud = Cloud(stack, ZONES, agent_options=options, pools=pools)
    cloud.down()
    cloud.forget()
    try:
        cloud.up("tiny")
        yield cloud
    finally:
        cloud.down()


@pytest.fixture(scope="package")
def real_tenant(real_cloud: Cloud) -> Iterator[Tenant]:
    token, operator = real_cloud.make_project("test")
    api = Api(real_cloud.stack.url, token, project="test")
    key = real_cloud.stack.var / "ssh-key"
    public = real_cloud.make_ssh_key(key)
    api.post("ssh-keys", {"name": "key", "public_key": public})
    api.post("networks", {"name": "lan", "cidr": "10.20.0.0/24"})
    api.post("security-groups/default/rules", SSH_RULE)
    tenant = Tenant(real_cloud, api, Api(real_cloud.stack.url, operator), key)
    yield tenant
    tenant.api.close()
    tenant.operator.close()


@pytest.fixture
def tenant(real_tenant: Tenant) -> Iterator[Tenant]:
    """Return the tenant: everything runs at the beginning; nothing is left at the end."""
    real_tenant.cloud.repair()
    real_tenant.wait_for_nodes()
    yield real_tenant
    real_tenant.cloud.repair()
    real_tenant.assert_clean_slate()
