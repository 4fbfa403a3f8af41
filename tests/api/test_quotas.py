"""Limits of projects and organizations over the API, and requests for more."""

import pytest

from controlplane.compute.models import Instance
from controlplane.identity.models import Project
from controlplane.quotas.models import Quota, QuotaUse
from tests.api.client import Answer, Caller
from tests.api.test_instances import WEB
from tests.api.tokens import make_token
from tests.cases import in_one_cloud
from tests.world import Cloud

ORGANIZATION = "/v1/organizations/alpha-org"
REQUESTS = f"{ORGANIZATION}/quota-requests"
ASK = {"dimension": "vcpus", "limit": 4000, "reason": "load test"}


@pytest.fixture
def admin(cloud: Cloud) -> Caller:
    return Caller(token=make_token(cloud.tenant.project, role="admin"), project="alpha")


def line(answer: Answer, dimension: str) -> dict[str, object]:
    return next(each for each in answer.body["items"] if each["dimension"] == dimension)


def test_addresses_of_instances_count_against_the_quota(api: Caller, cloud: Cloud, instance: Instance) -> None:
    assert QuotaUse.objects.get(dimension="addresses").resource_id == instance.pk
    assert line(api.get("limits"), "addresses")["used"] == 1


def test_organization_quota_may_be_the_tighter_one(api: Caller, operator: Caller, cloud: Cloud) -> None:
    assert operator.put(f"{ORGANIZATION}/quotas", {"limits": {"networks": 2}}).status == 200
    networks = line(api.get("limits"), "networks")
    assert networks == {"dimension": "networks", "used": 1, "limit": 20, "available": 1, "bound_by": "organization"}
    api.post("networks", {"name": "second", "cidr": "10.0.0.0/24"})
    answer = api.post("networks", {"name": "third", "cidr": "10.1.0.0/24"})
    assert answer.problem == (409, "quota_exceeded", None)
    facts = {"dimension": "networks", "level": "organization", "limit": 2, "requested": 1, "used": 2}
    assert answer.body["facts"] == facts
    french = Caller(token="alpha", project="alpha", language="fr").post("instances", WEB | {"name": "x"})
    assert french.status == 201


def test_refusal_names_the_level_in_french(api: Caller, cloud: Cloud) -> None:
    Quota.objects.create(organization=cloud.tenant.project.organization, dimension="vcpus", limit=0)
    answer = Caller(token="alpha", project="alpha", language="fr").post("instances", WEB)
    assert (answer.status, answer.body["facts"]["level"]) == (409, "organization")
    assert "Quota de niveau organisation" in answer.body["detail"]


def test_an_organization_sees_its_use_and_a_credential_its_own_part(
    api: Caller, operator: Caller, cloud: Cloud
) -> None:
    other = Project.objects.create(organization=cloud.tenant.project.organization, name="other")
    QuotaUse.objects.create(project=other, resource_id=other.pk, dimension="networks", amount=3)
    mine, all_of_it = (line(caller.get(f"{ORGANIZATION}/limits"), "networks") for caller in (api, operator))
    assert mine["used"] == all_of_it["used"] == 4
    assert [part["project"]["name"] for part in mine["projects"]] == ["alpha"]  # type: ignore[attr-defined]
    parts = {part["project"]["name"]: part["used"] for part in all_of_it["projects"]}  # type: ignore[attr-defined]
    assert parts == {"alpha": 1, "other": 3}


def test_quota_change_needs_the_version_that_it_replaces(admin: Caller, cloud: Cloud) -> None:
    first = admin.get("quotas")
    assert (first.body, first.headers["ETag"]) == ({"version": 0, "limits": {}}, '"0"')
    assert admin.call("PUT", "quotas", {"limits": {}}).problem == (428, "version_required", None)
    changed = admin.put("quotas", {"limits": {"vcpus": 3}}, If_Match='"0"')
    assert (changed.body, changed.headers["ETag"]) == ({"version": 1, "limits": {"vcpus": 3}}, '"1"')
    assert admin.put("quotas", {"limits": {}}, If_Match='"0"').problem == (412, "outdated", None)
    assert line(admin.get("limits"), "vcpus")["limit"] == 3
    assert admin.put("quotas", {"limits": {}}, If_Match='"1"').body == {"version": 2, "limits": {}}


@in_one_cloud(
    ("limits", "problem"),
    [
        ({"pets": 1}, (400, "invalid_request", "/limits/pets")),
        ({"vcpus": -1}, (400, "invalid_request", "/limits/vcpus")),
        ({"vcpus": "1"}, (400, "invalid_request", "/limits/vcpus")),
        ({"vcpus": 2**53}, (400, "invalid_request", "/limits/vcpus")),
        ({"vcpus": 2001}, (422, "quota_above_organization", "/limits/vcpus")),
    ],
)
def test_invalid_limits_are_refused(
    admin: Caller, cloud: Cloud, limits: dict[str, object], problem: tuple[int, str, str]
) -> None:
    assert admin.put("quotas", {"limits": limits}).problem == problem
    assert not Quota.objects.exists()


def test_roles_without_the_right_are_refused(api: Caller, admin: Caller, cloud: Cloud) -> None:
    role_needed = (403, "identity.role_needed", None)
    assert api.put("quotas", {"limits": {}}).problem == role_needed
    assert admin.put(f"{ORGANIZATION}/quotas", {"limits": {}}).problem == role_needed
    assert api.post(REQUESTS, ASK).problem == role_needed


def test_quota_request_is_created_approved_and_refused(
    api: Caller, admin: Caller, operator: Caller, cloud: Cloud
) -> None:
    requested = admin.post(REQUESTS, ASK)
    assert (requested.status, requested.body["state"]) == (201, "pending")
    path = requested.headers["Location"]
    assert api.get(path).body == requested.body
    assert admin.post(REQUESTS, ASK).problem == (409, "quota_request.pending", None)
    assert admin.post(f"{path}/actions/approve", {"reason": "please"}).problem[:2] == (403, "identity.role_needed")
    approved = operator.post(f"{path}/actions/approve", {"reason": "there is room"})
    assert (approved.body["state"], approved.body["answer"]) == ("approved", "there is room")
    assert line(api.get(f"{ORGANIZATION}/limits"), "vcpus")["limit"] == 4000
    assert operator.post(f"{path}/actions/refuse", {"reason": "no"}).problem == (409, "quota_request.decided", None)
    assert admin.post(REQUESTS, ASK).problem == (422, "quota_request.not_more", "/limit")
    second = admin.post(REQUESTS, ASK | {"limit": 5000}).headers["Location"]
    assert admin.post(f"{second}/actions/withdraw").body["state"] == "withdrawn"
    third = admin.post(REQUESTS, ASK | {"limit": 5000}).headers["Location"]
    assert operator.post(f"{third}/actions/refuse", {"reason": "no room"}).body["state"] == "refused"
    states = [each["state"] for each in api.get(f"{REQUESTS}?sort=created_at").body["items"]]
    assert states == ["approved", "withdrawn", "refused"]
    assert len(api.get(f"{REQUESTS}?state=refused&dimension=vcpus").body["items"]) == 1
    nobody = f"{REQUESTS}/01890000-0000-7000-8000-000000000000"
    assert api.get(nobody).problem == (404, "quota_request.not_found", None)
