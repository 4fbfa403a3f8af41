"""Pages about the storage that nodes share."""

from pathlib import Path

import pytest
from django.test import Client

from agents.node.adapters import pools
from agents.node.adapters.pools import Pools
from controlplane.compute.models import Instance
from controlplane.nodes.models import Node, Pool
from controlplane.storage.models import Volume
from tests.api.client import Caller
from tests.api.conftest import finish
from tests.dashboard.conftest import SignIn
from tests.dashboard.sample_resources import text_of
from tests.world import Cloud


@pytest.fixture
def pool(cloud: Cloud, tmp_path: Path) -> Pool:
    folder = tmp_path / "pool"
    folder.mkdir()
    pools.make(folder)
    cloud.fake.pools = Pools({"shared": folder})
    cloud.machine.heartbeat()
    return Pool.objects.get()


def test_empty_list_of_pools_explains_creation(signed_in: SignIn, cloud: Cloud) -> None:
    operator = signed_in("operator")
    page = operator.get("/platform/pools")
    assert "No storage pools yet" in text_of(page) and b"agents.node.make_pool" in page.content
    assert "No storage pool matches the filters" in text_of(operator.get("/platform/pools?zone=fr-idf-1"))
    assert operator.get("/platform/pools/nothing").status_code == 404


def test_pools_are_for_platform_roles(signed_in: SignIn, member: Client, pool: Pool) -> None:
    support = signed_in("support")
    for url in ("/platform/pools", f"/platform/pools/{pool.pk}"):
        assert support.get(url).status_code == 200
        refused = member.get(url)
        assert refused.status_code == 403 and pool.path.encode() not in refused.content
    assert b'href="/platform/pools"' not in member.get("/").content


def test_pool_shows_its_space_and_resources(signed_in: SignIn, cloud: Cloud, pool: Pool) -> None:
    api, operator = Caller(token="alpha", project="alpha"), signed_in("operator")
    finish(api.post("instances", {"name": "web", "flavor": "tiny", "image": "tiny"}))
    finish(api.post("volumes", {"name": "data", "size_gib": 1}))
    Instance.objects.update(root_pool=pool)
    Volume.objects.update(pool=pool)
    everywhere = operator.get("/platform/pools?zone=fr-idf-1")
    assert f'href="/platform/pools/{pool.pk}"'.encode() in everywhere.content and b"<meter" in everywhere.content
    assert "1 node" in text_of(everywhere) and "not mounted" not in text_of(everywhere)
    page = operator.get(f"/platform/pools/{pool.pk}").content
    assert b">web</a>" in page and b">data</a>" in page and b'href="/platform/nodes/node-1"' in page
    assert f'href="/platform/pools/{pool.pk}"'.encode() in operator.get("/platform/nodes/node-1").content


def test_node_without_its_pool_is_shown_on_all_pages(signed_in: SignIn, pool: Pool) -> None:
    operator = signed_in("operator")
    Node.objects.update(state="unreachable")
    everywhere = operator.get("/platform/pools")
    assert "0 nodes" in text_of(everywhere) and "not mounted" in text_of(everywhere)
    assert b'href="/platform/nodes/node-1"' in everywhere.content
    for url in (f"/platform/pools/{pool.pk}", "/platform/nodes/node-1"):
        assert "had it mounted at its last heartbeat." in text_of(operator.get(url)), url
