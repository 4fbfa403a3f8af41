"""Projects, tokens, limits."""

from controlplane.identity.models import ApiToken
from tests.api.client import Caller
from tests.world import Cloud, make_tenant


def test_credential_lists_its_project_and_an_operator_all(api: Caller, operator: Caller, cloud: Cloud) -> None:
    make_tenant("beta")
    assert [each["name"] for each in api.get("/v1/projects").body["items"]] == ["alpha"]
    assert {each["name"] for each in operator.get("/v1/projects").body["items"]} == {"alpha", "beta"}
    project = api.get("/v1/projects/alpha").body
    assert (project["id"], project["organization"]["name"]) == (str(cloud.tenant.project.pk), "alpha-org")
    assert api.get(f"/v1/projects/{project['id']}").body == project


def test_a_token_is_shown_once_works_and_ends(api: Caller, cloud: Cloud) -> None:
    answer = api.post("tokens", {"name": "ci", "role": "viewer", "lifetime_days": 1})
    assert answer.status == 201
    secret = answer.body["secret"]
    assert answer.body["prefix"] == secret[:15]
    other = Caller(token=secret, project="alpha")
    assert other.get("instances").status == 200
    assert secret not in api.get("tokens").text
    assert {each["name"] for each in api.get("tokens").body["items"]} == {"test", "ci"}
    for _ in range(2):
        assert api.delete(f"tokens/{answer.body['id']}").status == 204
    assert other.get("instances").problem == (401, "identity.token.revoked", None)
    assert [each["name"] for each in api.get("tokens").body["items"]] == ["test"]


def test_token_cannot_exceed_the_role_of_its_issuer(api: Caller, cloud: Cloud) -> None:
    assert api.post("tokens", {"name": "ci", "role": "owner"}).problem == (403, "identity.role_needed", None)
    assert ApiToken.objects.count() == 1


def test_taken_token_name_is_refused(api: Caller, cloud: Cloud) -> None:
    assert api.post("tokens", {"name": "test"}).problem == (409, "identity.name_taken", "/name")


def test_unknown_token_is_not_found(api: Caller, cloud: Cloud) -> None:
    for ref in ("ci", "01890000-0000-7000-8000-000000000000"):
        assert api.delete(f"tokens/{ref}").problem == (404, "identity.token.not_found", None)


def test_limits_are_listed_with_their_use(api: Caller, cloud: Cloud) -> None:
    limits = {each["dimension"]: each for each in api.get("limits").body["items"]}
    assert limits["networks"]["used"] == 1
    assert limits["instances"]["limit"] > limits["instances"]["used"] == 0
