"""Orphans over the API: operators decide, other readers of nodes see them, no other caller does."""

import pytest

from controlplane.nodes.models import Orphan
from controlplane.reconcilers import orphans
from tests.api.client import Caller
from tests.world import Cloud

UNMANAGED_FILE = "volumes/left-behind.raw"


@pytest.fixture
def url(cloud: Cloud) -> str:
    cloud.fake.foreign_files.append(UNMANAGED_FILE)
    orphans.reconcile()
    return f"/v1/orphans/{Orphan.objects.get().pk}"


def test_orphans_are_listed_and_filtered(operator: Caller, url: str) -> None:
    (orphan,) = operator.get("/v1/orphans?open=true&kind=file&node=node-1&zone=fr-idf-1&state=found").body["items"]
    assert (orphan["name"], orphan["node"]["name"], orphan["zone"]) == (UNMANAGED_FILE, "node-1", "fr-idf-1")
    assert (orphan["size_bytes"], orphan["wished"], orphan["resource"]) == (4096, "", None)
    assert operator.get(url).body == orphan
    for query in ("open=false", "kind=domain", "node=node-2", "state=gone"):
        assert operator.get(f"/v1/orphans?{query}").body["items"] == []
    assert operator.get("/v1/orphans?kind=what").problem[0] == 400
    assert operator.get("/v1/orphans/nothing").problem == (404, "orphan.not_found", None)


def test_orphans_are_hidden_from_tenants(api: Caller, url: str) -> None:
    assert api.get("/v1/orphans").problem[0] == 403
    assert api.get(url).problem[0] == 403
    for action, body in (("discard", {"name": UNMANAGED_FILE, "reason": "x"}), ("release", {"reason": "x"})):
        assert api.post(f"{url}/actions/{action}", body).problem[0] == 403


def test_discard_needs_the_name_and_a_reason(operator: Caller, url: str) -> None:
    discard = f"{url}/actions/discard"
    assert operator.post(discard, {"reason": "x"}).problem == (400, "invalid_request", "/name")
    assert operator.post(discard, {"name": UNMANAGED_FILE}).problem == (400, "invalid_request", "/reason")
    assert operator.post(discard, {"name": "volumes/x", "reason": "x"}).problem == (400, "orphan.name_differs", "/name")
    tried = operator.post(f"{discard}?dry_run=true", {"name": UNMANAGED_FILE, "reason": "x"})
    assert (tried.status, tried.body["wished"]) == (200, "discard")
    assert Orphan.objects.get().requested_action == ""
    done = operator.post(discard, {"name": UNMANAGED_FILE, "reason": "left behind"})
    assert (done.status, done.body["wished"], done.body["reason"]) == (202, "discard", "left behind")
    orphans.reconcile()
    body = operator.get(url).body
    assert (body["state"], body["evidence"]["was_present"]) == ("discarded", True)
    assert operator.post(discard, {"name": UNMANAGED_FILE, "reason": "x"}).problem == (409, "orphan.wrong_state", None)


def test_release_is_answered_before_it_is_done(operator: Caller, url: str) -> None:
    assert operator.post(f"{url}/actions/release", {"reason": "it is ours"}).body["wished"] == "release"
    orphans.reconcile()
    assert operator.get(url).body["state"] == "released"
    assert operator.get("/v1/orphans?open=true").body["items"] == []
