"""Pages about fencing: what is at hand and what is not, the act, and how a node's BMC is reached."""

from datetime import timedelta
from html import unescape
from ipaddress import ip_network

import pytest
from django.test import Client
from pytest_django import Settings

from controlplane.catalog.models import Zone
from controlplane.dashboard.labels import STORAGE_FENCE_PROBLEMS
from controlplane.kernel import clock
from controlplane.node_lifecycle.fencing.storage_fences import PROBLEMS
from controlplane.nodes.models import Bmc, Node
from controlplane.operations.models import Operation
from controlplane.signin.models import Session
from controlplane.storage_clusters.models import NodeFence, StorageCluster
from tests.dashboard.conftest import SignIn
from tests.dashboard.sample_resources import text_of
from tests.world import Cloud

NODE = "/platform/nodes/node-1"
FENCE, BMC = f"{NODE}/fence", f"{NODE}/bmc"
HOW = {
    "address": "10.99.0.11",
    "username": "fencer",
    "password": "a very secret one",
    "certificate_sha256": "5e" * 32,
    "system_id": "",
}


@pytest.fixture
def operator(signed_in: SignIn, settings: Settings) -> Client:
    settings.BMC_NETWORKS = [ip_network("10.99.0.0/24")]
    return signed_in("operator")


def test_reachable_node_cannot_be_fenced(operator: Client, cloud: Cloud) -> None:
    page = operator.get(FENCE)
    assert "it is reachable" in text_of(page)
    assert b'name="evidence"' not in page.content
    assert FENCE not in operator.get(NODE).content.decode()


def test_unreachable_node_is_fenced_by_attestation_after_a_proof(operator: Client, cloud: Cloud) -> None:
    cloud.machine.become_unreachable()
    assert FENCE in operator.get(NODE).content.decode()
    page = text_of(operator.get(FENCE))
    assert "its BMC is not configured" in page
    assert "available: an operator attests that the node is off" in page
    Session.objects.update(proved_at=clock.now() - timedelta(hours=1))
    body = {"evidence": "attestation", "reason": "unplugged in rack 7"}
    assert operator.post(FENCE, body)["Location"].startswith("/sign-in/prove?")
    Session.objects.update(proved_at=clock.now())
    refused = text_of(operator.post(FENCE, body | {"evidence": "lease"}))
    assert "did not fence itself" in refused
    assert operator.post(FENCE, body)["Location"] == NODE
    assert Node.objects.get(name="node-1").admin_state == "fenced"
    page = text_of(operator.get(NODE))
    assert "I have checked that the node is off" in page and "unplugged in rack 7" in page


def test_bmc_address_is_set_and_its_password_hidden(operator: Client, cloud: Cloud) -> None:
    refused = text_of(operator.post(BMC, HOW | {"address": "10.98.0.1"}))
    assert "in none of the management networks" in refused
    assert operator.post(BMC, HOW)["Location"] == NODE
    page = operator.get(BMC).content.decode()
    assert HOW["address"] in page and HOW["password"] not in page
    cloud.machine.become_unreachable()
    assert "available: the BMC powers the node off" in text_of(operator.get(FENCE))
    assert operator.post(FENCE, {"evidence": "power", "reason": "lost"})["Location"] == NODE
    assert Operation.objects.get().kind == "node.fence"
    assert operator.post(f"{BMC}/forget", {"next": NODE})["Location"] == NODE
    assert not Bmc.objects.exists()


def test_page_is_in_french(operator: Client, cloud: Cloud) -> None:
    page = text_of(operator.get(FENCE, headers={"Accept-Language": "fr"}))
    assert "Isoler node-1 (fencing)" in page and "il est joignable" in page


def test_fences_in_storage_clusters_are_shown_with_their_problems(operator: Client, cloud: Cloud) -> None:
    node = Node.objects.get(name="node-1")
    Node.objects.update(storage_addresses=["10.0.8.2"])
    assert "the storage clusters of its zone refuse these addresses: 10.0.8.2" in text_of(operator.get(FENCE))
    assert "In storage clusters" not in text_of(operator.get(NODE))
    zone = Zone.objects.get(pk="fr-idf-1")
    cluster = StorageCluster.objects.create(name="ceph-1", zone=zone, address="10.0.7.21:7447")
    NodeFence.objects.create(cluster=cluster, node=node, addresses=["10.0.8.2"])
    for url in (FENCE, NODE):
        assert "ceph-1 10.0.8.2 not confirmed yet" in text_of(operator.get(url)), url
    for problem in PROBLEMS[1:]:
        NodeFence.objects.update(fenced_at=clock.now(), expires_at=clock.now(), problem=problem)
        page = unescape(text_of(operator.get(FENCE)))
        assert str(STORAGE_FENCE_PROBLEMS[problem]) in page and "not confirmed yet" not in page
    french = text_of(operator.get(FENCE, headers={"Accept-Language": "fr"}))
    assert "La grappe de stockage a refusé d’isoler les adresses." in french
