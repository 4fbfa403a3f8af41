"""A control plane in processes of its own, with two nodes over the fake adapter, for clients of its API over HTTP."""

import secrets
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from andromede_sdk import Client, Retry
from scripts.cloud import Cloud
from scripts.control_plane import ROOT, Stack
from scripts.polling import wait_until
from tests.clients import installed
from tests.limits import PATIENCE_S

ZONES = {"node-a": "fr-idf-1", "node-b": "de-rhein-1"}
PORT = 8170
SETTINGS = {"QUOTA_IMAGES": "3", "METRICS_INTERVAL_S": "1"}
PROVIDERS = "openid-providers.json"
QUICK = Retry(first_pause_s=0.01, longest_pause_s=0.05)


@dataclass(frozen=True)
class Live:
    """Tokens: `token` is an owner's of the project demo, `operator` an operator's."""

    cloud: Cloud
    token: str
    operator: str

    @property
    def url(self) -> str:
        return self.cloud.stack.url

    @property
    def providers(self) -> Path:
        """Return the file of OpenID providers, which is read at each sign-in."""
        return self.cloud.stack.var / PROVIDERS

    def client(self, **options: object) -> Client:
        return Client(self.url, self.token, project="demo", retry=QUICK, **options)  # type: ignore[arg-type]

    def new_client(self) -> Client:
        """Return an owner of a project of its own, with policies of its own."""
        name = f"project-{secrets.token_hex(4)}"
        token, _ = self.cloud.make_project(name)
        return Client(self.url, token, project=name, retry=QUICK)


@pytest.fixture(scope="package")
def live() -> Iterator[Live]:
    var = ROOT / "var" / "test-clients"
    settings = {**SETTINGS, "OPENID_PROVIDERS_FILE": str(var / PROVIDERS), "OPENID_PRIVATE_HOSTS": "127.0.0.1"}
    stack = Stack(var, port=PORT, is_durable=False, settings=settings)
    # One port for the API, the next for its streams, and those behind them for the agents.
    cloud = Cloud(stack, ZONES, is_fake=True, pools={"node-a": var / "pool"}, fake_port=PORT + 2)
    cloud.down()
    cloud.forget()
    try:
        cloud.stack.prepare()
        (var / PROVIDERS).write_text('{"providers": []}')
        image = var / "tiny.qcow2"
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(image), "16M"], check=True)
        options = ["--format", "qcow2", "--min-memory-mib", "128"]
        cloud.stack.manage("import_image", "tiny", str(image), *options)
        cloud.up()
        yield _ready(cloud)
    finally:
        cloud.down()


def _ready(cloud: Cloud) -> Live:
    created = Live(cloud, *cloud.make_project("demo"))
    with Client(created.url, created.operator) as operator:
        wait_until(lambda: {node.state for node in operator.nodes.list()} == {"ready"}, limit_s=PATIENCE_S)
    with created.client() as client:
        client.networks.create(name="lan", cidr="10.10.0.0/24")
    return created


@pytest.fixture(scope="package")
def token(live: Live) -> str:
    """Return an owner's token, for all of the organization demo."""
    return live.cloud.stack.manage("create_token", "demo@example.org", "--name", "everywhere", "--days", "1")


@pytest.fixture(scope="package")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the commands' folder of an environment with only the clients and their requirements."""
    return installed.install(tmp_path_factory.mktemp("installed"))


@pytest.fixture
def client(live: Live) -> Iterator[Client]:
    """Return an owner of the project demo; resources of the test are deleted at its end."""
    with live.client() as client:
        yield client
        ended = [client.instances.delete(each.id) for each in client.instances.list()]
        for each in ended:
            if each is not None:
                each.operation.wait()
        for volume in client.volumes.list():
            if (gone := client.volumes.delete(volume.id)) is not None:
                gone.operation.wait()
