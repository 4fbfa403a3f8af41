"""Every command in the guides to volumes runs, in the order of its page, as a reader would type it."""

import re
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from scripts.api import Api
from scripts.cloud import POOL as FOLDER
from scripts.cloud import Cloud
from scripts.control_plane import ROOT, Stack
from scripts.polling import wait_until
from tests.clients.cli import Inside, inside
from tests.clients.conftest import Live
from tests.fake_storage import NODE_OPTIONS, POOL, start_storage
from tests.limits import PATIENCE_S

pytestmark = [pytest.mark.slow, pytest.mark.nightly]

GUIDES = ROOT / "docs" / "how-to"
BLOCK = re.compile(r"^```\n(.*?)^```", re.MULTILINE | re.DOTALL)
VAR, PORT, ZONE = ROOT / "var" / "test-docs-volumes", 8190, "fr-idf-1"
OF_OPERATORS = {("volume-type", "create"), ("volume-type", "update")}
ASKING = ("delete", "revert")


@pytest.fixture(scope="module")
def clustered() -> Iterator[Cloud]:
    """Return a cloud with a storage cluster, the pool of a folder, and the image `debian-13`."""
    stack = Stack(VAR, port=PORT, is_durable=False)
    # The agent's port is behind those of the API and its streams.
    cloud = Cloud(
        stack,
        {"node-a": ZONE},
        is_fake=True,
        agent_options=NODE_OPTIONS,
        pools={"node-a": VAR / "pool"},
        fake_port=PORT + 2,
    )
    cloud.down()
    cloud.forget()
    try:
        cloud.up()
        image = VAR / "debian-13.qcow2"
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(image), "16M"], check=True)
        stack.manage("import_image", "debian-13", str(image), "--format", "qcow2")
        yield cloud
    finally:
        cloud.down()


@pytest.fixture(scope="module")
def acme(clustered: Cloud) -> Live:
    """Return the owner of the project `acme`, of an organization of that name."""
    created = Live(clustered, *clustered.make_project("acme"))
    operator = Api(created.url, created.operator)
    wait_until(lambda: FOLDER in [each["name"] for each in operator.get("/v1/pools")["items"]], limit_s=PATIENCE_S)
    start_storage(clustered.stack, operator, zone=ZONE)
    operator.close()
    return created


@pytest.fixture
def tenant(tmp_path: Path, acme: Live) -> Inside:
    return inside(tmp_path, acme, acme.token, ANDROMEDE_PROJECT="acme")


@pytest.fixture
def operator(tmp_path: Path, acme: Live) -> Inside:
    return inside(tmp_path, acme, acme.operator)


def commands(page: str) -> Iterator[list[str]]:
    """Yield the words of each command in the blocks of the page."""
    for block in BLOCK.findall((GUIDES / page).read_text()):
        for line in block.replace("\\\n", " ").splitlines():
            program, *words = shlex.split(line)
            if program == "andromede":
                yield words


def run(page: str, tenant: Inside, operator: Inside, *, called: Mapping[str, str]) -> None:
    """Run the commands of the page. Questions are answered with yes. `called`: the names that things have here."""
    found = list(commands(page))
    assert found
    for words in found:
        cli = operator if tuple(words[:2]) in OF_OPERATORS else tenant
        cli.ok(*(called.get(word, word) for word in words), *(["--yes"] if words[1] in ASKING else []))


def shown(tenant: Inside, *words: str) -> Any:
    return tenant.ok(*words, "--output", "json").json


def test_guide_to_snapshots_runs(tenant: Inside, operator: Inside) -> None:
    run("snapshots.md", tenant, operator, called={"ceph": POOL})
    snapshots = {each["name"]: each["consistency"] for each in shown(tenant, "snapshot", "list")}
    of_release = {f"before-release-{volume}": "filesystem" for volume in ("web-1-root", "data", "logs")}
    assert snapshots == of_release | {f"before-import-{volume}": "crash" for volume in ("data", "logs")}
    assert shown(tenant, "instance", "show", "web-1")["state"] == "active"
    assert shown(tenant, "volume", "show", "data-before")["instance"]["name"] == "web-1"
    assert {shown(tenant, "image", "show", name)["state"] for name in ("golden", "golden-now")} == {"available"}


def test_guide_to_booting_from_a_volume_runs(tenant: Inside, operator: Inside) -> None:
    run("boot-from-a-volume.md", tenant, operator, called={"web-1": "site-1"})
    assert shown(tenant, "volume", "show", "system")["instance"]["name"] == "db-2"
    assert shown(tenant, "instance", "show", "site-1")["keep_root_volume"] is True


def test_guide_to_volume_types_runs(tenant: Inside, operator: Inside) -> None:
    run("define-volume-types.md", tenant, operator, called={"volumes": POOL, "data": "table"})
    types = {each["id"]: each["is_retired"] for each in shown(tenant, "volume-type", "list")}
    assert types["basic"] and not types["ceph"]
    assert shown(tenant, "volume", "show", "table")["limits"]["iops"] == 1000
    assert shown(tenant, "volume", "show", "archive")["volume_type"] == "ceph"
