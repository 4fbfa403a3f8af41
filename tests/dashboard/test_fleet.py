"""Pages for the operators of the platform."""

import pytest
from django.test import Client

from agents.node.errors import AdapterError
from controlplane.dashboard.views.platform.fleet import sums_of
from controlplane.identity.models import Membership, Organization
from controlplane.nodes.models import Node
from controlplane.operations.models import Operation
from controlplane.operations.selectors import STUCK_ATTEMPTS
from controlplane.quotas.models import QuotaRequest
from tests.api.client import Caller
from tests.api.conftest import finish
from tests.cases import in_one_cloud
from tests.dashboard.conftest import SignIn
from tests.dashboard.sample_resources import text_of
from tests.world import Cloud, run

WEB = {"name": "web", "flavor": "tiny", "image": "tiny"}
PAGES = [
    "/platform/nodes",
    "/platform/nodes/node-1",
    "/platform/nodes/node-1/drain",
    "/platform/incidents",
    "/platform/operations",
]


@pytest.fixture
def operator(signed_in: SignIn) -> Client:
    return signed_in("operator")


@pytest.fixture
def api(cloud: Cloud) -> Caller:
    return Caller(token="alpha", project="alpha")


@in_one_cloud("url", PAGES)
def test_platform_pages_are_for_platform_roles(url: str, signed_in: SignIn, cloud: Cloud) -> None:
    assert signed_in("operator").get(url).status_code == 200
    assert signed_in("support").get(url).status_code == 200
    refused = signed_in("owner").get(url)
    assert refused.status_code == 403
    assert b"fr-idf-1" not in refused.content


def test_menu_shows_platform_pages_to_platform_roles_only(operator: Client, member: Client) -> None:
    assert b'href="/platform/nodes"' in operator.get("/").content
    assert b'href="/platform/nodes"' not in member.get("/").content


@pytest.mark.parametrize("duty", ["operator", "support", "auditor"])
def test_platform_audit_is_for_platform_roles(duty: str, signed_in: SignIn, cloud: Cloud, home: str) -> None:
    owner = signed_in("owner")
    owner.post(f"{home}/networks/new", {"name": "mine", "cidr": "10.1.0.0/24"})
    reader = signed_in(duty)
    assert b'href="/platform/audit"' in reader.get("/").content
    page = reader.get("/platform/audit?verb=network_create").content.decode()
    assert "owner@people.example" in page
    assert f"/platform/organizations/{cloud.tenant.project.organization_id}" in page and f"{home}/audit" in page
    assert b"No entry matches the filters." in reader.get("/platform/audit?outcome=failed").content
    assert b"network.create" in reader.get("/platform/audit/deeds").content
    file = reader.get("/platform/audit/export?format=csv&verb=network_create")
    assert b"".join(file).count(b"network_create") == 1  # type: ignore[arg-type]
    for url in ("/platform/audit", "/platform/audit/deeds", "/platform/audit/export?format=csv"):
        assert owner.get(url).status_code == 403
    assert b'href="/platform/audit"' not in owner.get("/").content


def test_fleet_shows_use_and_free_capacity(operator: Client, api: Caller, cloud: Cloud) -> None:
    finish(api.post("instances", WEB))
    page = operator.get("/platform/nodes?flavor=tiny").content.decode()
    assert "1 of 1 accept instances" in page and "<meter" in page and "largest:" in page
    assert b"No node matches the filters" in operator.get("/platform/nodes?state=unreachable").content
    guests = operator.get("/platform/nodes/node-1").content
    assert b">web</a>" in guests and b"alpha" in guests


def test_capacity_is_summed_by_zone() -> None:
    def made(zone: str, used: int, **more: object) -> dict[str, object]:
        amounts = {"total": 10, "reserved": 1, "capacity": 9, "used": used}
        inventory = dict.fromkeys(("vcpus", "memory_mib", "disk_gib"), amounts)
        return {"zone": zone, "state": "ready", "is_cordoned": False, "inventory": inventory, **more}

    first, second = sums_of(
        [made("b", 1), made("a", 2), made("b", 3, is_cordoned=True), made("b", 0, state="enrolled")]
    )
    assert (first["zone"], first["nodes"], first["taking"], first["vcpus"]["used"]) == ("a", 1, 1, 2)
    assert (second["nodes"], second["taking"]) == (3, 1)
    assert second["disk_gib"] == {"total": 30, "reserved": 3, "capacity": 27, "used": 4}


def test_node_is_cordoned_with_a_reason_and_uncordoned(operator: Client, signed_in: SignIn, cloud: Cloud) -> None:
    long = operator.post("/platform/nodes/node-1/cordon", {"reason": "x" * 201})
    assert b'class="errorlist"' in long.content
    assert operator.post("/platform/nodes/node-1/cordon", {"reason": "its fan"})["Location"] == "/platform/nodes/node-1"
    page = operator.get("/platform/nodes/node-1").content
    assert b"its fan" in page and b"cordoned" in page
    support = signed_in("support")
    assert b"Uncordon" not in support.get("/platform/nodes/node-1").content
    support.post("/platform/nodes/node-1/uncordon")
    assert Node.objects.get().is_cordoned
    operator.post("/platform/nodes/node-1/uncordon")
    assert not Node.objects.get().is_cordoned


def test_incidents_of_all_nodes_are_listed(operator: Client, cloud: Cloud) -> None:
    assert b"No incidents" in operator.get("/platform/incidents").content
    cloud.fake.foreign_domains.append("a-vm-by-hand")
    cloud.machine.account()
    page = operator.get("/platform/incidents?state=open").content
    assert b"Orphaned guest" in page and b"a-vm-by-hand" in page
    assert b"a-vm-by-hand" in operator.get("/platform/nodes/node-1").content


def test_failed_operations_come_first(operator: Client, api: Caller, cloud: Cloud) -> None:
    cloud.fake.fail_next("start", AdapterError("The disk is full.", retryable=False))
    api.post("instances", WEB)
    run(Operation.objects.get())
    assert Operation.objects.get().state == "failed"
    answer = operator.get("/platform/operations")
    page = answer.content.decode()
    assert page.index("<h2>Failed</h2>") < page.index("<h2>All</h2>")
    assert "alpha" in page and "Create instance: web" in text_of(answer)
    assert "<h2>Failed</h2>" not in operator.get("/platform/operations?state=succeeded").content.decode()


def test_stuck_operation_is_resolved_once_its_node_is_unreachable(
    operator: Client, signed_in: SignIn, api: Caller, cloud: Cloud
) -> None:
    finish(api.post("volumes", {"name": "data", "size_gib": 1}))
    operation_id = api.delete("volumes/data").operation["id"]
    Operation.objects.filter(pk=operation_id).update(state="running", attempts=STUCK_ATTEMPTS)
    url = f"/platform/operations/{operation_id}/resolve"
    page = operator.get("/platform/operations").content.decode()
    assert "<h2>Stuck</h2>" in page and f'href="{url}"' in page
    assert f'href="{url}"' not in signed_in("support").get("/platform/operations").content.decode()
    assert b"the node node-1 is reachable" in operator.get(url).content
    cloud.machine.become_unreachable()
    page = operator.get(url).content.decode()
    assert "Preview" in page and ">node-1</a>" in page
    assert Operation.objects.get(pk=operation_id).state == "running"
    assert operator.post(url, {"reason": "it burnt"})["Location"] == "/platform/operations"
    assert run(Operation.objects.get(pk=operation_id)).state == "succeeded"
    assert "<h2>Stuck</h2>" not in operator.get("/platform/operations").content.decode()


def test_quota_request_links_to_its_decision(operator: Client, cloud: Cloud) -> None:
    organization = cloud.tenant.project.organization
    requested = QuotaRequest.objects.create(
        organization=organization,
        dimension="instances",
        limit=50,
        reason="more",
        requested_by=cloud.tenant.actor.user_id,
    )
    page = operator.get(f"/platform/organizations/{organization.pk}").content.decode()
    assert "waiting for a response" in page
    assert b"alpha-org" in operator.get("/platform/organizations").content
    url = f"/organizations/{organization.pk}/quota/{requested.pk}/decide/approve"
    assert f'href="{url}"' in page
    operator.post(url, {"reason": "good luck"})
    requested.refresh_from_db()
    assert (requested.state, requested.answer) == ("approved", "good luck")
    assert operator.get("/platform/offers").status_code == 200


def test_operator_creates_and_deletes_an_organization(operator: Client, signed_in: SignIn) -> None:
    assert b"/platform/organizations/new" in operator.get("/platform/organizations").content
    created = operator.post("/platform/organizations/new", {"name": "hospital", "owner": "nobody@people.example"})
    assert b"nobody@people.example" in created.content and not Organization.objects.filter(name="hospital").exists()
    signed_in("owner")
    created = operator.post("/platform/organizations/new", {"name": "hospital", "owner": "owner@people.example"})
    organization = Organization.objects.get(name="hospital")
    assert created.url == f"/platform/organizations/{organization.pk}"  # type: ignore[attr-defined]
    assert Membership.objects.get(organization=organization).role == "owner"
    page = f"{created.url}/delete"  # type: ignore[attr-defined]
    assert page.encode() in operator.get(created.url).content  # type: ignore[attr-defined]
    assert b"The name does not match." in operator.post(page, {"name": "hospitals"}).content
    operator.post(page, {"name": "hospital"})
    organization.refresh_from_db()
    assert organization.deleted_at is not None


def test_organization_with_projects_is_not_deleted(operator: Client, cloud: Cloud) -> None:
    organization = cloud.tenant.project.organization
    page = operator.post(f"/platform/organizations/{organization.pk}/delete", {"name": organization.name})
    assert b"project" in page.content and page.status_code == 200
    organization.refresh_from_db()
    assert organization.deleted_at is None


@pytest.mark.parametrize("role", ["support", "owner"])
def test_only_an_operator_creates_an_organization(role: str, signed_in: SignIn, cloud: Cloud) -> None:
    browser = signed_in(role)
    answer = browser.post("/platform/organizations/new", {"name": "mine"})
    assert not Organization.objects.filter(name="mine").exists()
    assert b"operator" in answer.content
    assert b"/platform/organizations/new" not in browser.get("/platform/organizations").content
