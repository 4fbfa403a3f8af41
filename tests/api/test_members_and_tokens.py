"""Organizations, members, invitations, service accounts and tokens, as people use them."""

from datetime import timedelta
from typing import Any

import pytest
from pytest_django import Settings

from controlplane.audit.models import AuditEntry
from controlplane.identity.credentials import actor_for
from controlplane.identity.models import ApiToken, Invitation, Organization, ServiceAccount, User
from controlplane.identity.services import membership_set, organization_create, project_create, user_create
from controlplane.identity.tokens import NewToken, own_token_create
from controlplane.kernel import clock
from controlplane.kernel.ids import new_id
from controlplane.signin.client_info import ClientInfo
from controlplane.signin.sessions import create_session
from tests.api.client import Caller
from tests.api.conftest import finish
from tests.api.test_instances import KEY
from tests.world import Cloud

ACME = "/v1/organizations/acme"
pytestmark = pytest.mark.django_db


def signed_in(user: User, **limits: Any) -> Caller:
    """With a token that is good wherever the user has a role; what issued it is no token."""
    new = NewToken(f"t-{new_id()}", "", timedelta(days=2), is_platform=bool(user.platform_role), **limits)
    return Caller(token=own_token_create(actor_for(user, credential_id=new_id()), new)[1], project="web")


def member(role: str, organization: Organization | None = None, *, name: str | None = None) -> Caller:
    user = user_create(email=f"{name or role}@acme.example")
    membership_set(organization or Organization.objects.get(name="acme"), user=user, role=role)
    return signed_in(user)


@pytest.fixture
def acme(db: None) -> Organization:
    """With the project web."""
    created = organization_create(name="acme")
    project_create(created, name="web")
    return created


@pytest.fixture
def owner(acme: Organization) -> Caller:
    return member("owner")


@pytest.fixture
def admin(acme: Organization) -> Caller:
    return member("admin")


# ---- organizations and projects


def test_operator_creates_an_organization_and_its_owner_adds_members(db: None) -> None:
    operator = signed_in(user_create(email="op@example.org", is_operator=True))
    ada = user_create(email="ada@acme.example")
    nobody = operator.post("/v1/organizations", {"name": "acme", "owner": "eve@acme.example"})
    assert nobody.problem == (422, "identity.user.not_found", "/owner")
    created = operator.post("/v1/organizations", {"name": "acme", "owner": "ada@acme.example", "labels": {"a": "b"}})
    assert (created.status, created.body["labels"]) == (201, {"a": "b"})
    owner = signed_in(ada)
    project = owner.post(f"{ACME}/projects", {"name": "web", "labels": {"env": "prod"}})
    assert (project.status, project.headers["Location"]) == (201, f"/v1/projects/{project.body['id']}")
    assert owner.post(f"{ACME}/projects", {"name": "web"}).problem == (409, "identity.name_taken", "/name")
    assert [each["name"] for each in owner.get("/v1/projects?labels=env=prod").body["items"]] == ["web"]
    changed = owner.patch("/v1/projects/web", {"name": "shop", "labels": {"env": None, "team": "x"}}).body
    assert (changed["name"], changed["labels"]) == ("shop", {"team": "x"})
    assert owner.patch(ACME, {"name": "acme-2"}).body["name"] == "acme-2"
    assert operator.delete("/v1/organizations/acme-2").problem == (409, "identity.organization.in_use", None)
    assert owner.delete("/v1/projects/shop").status == 204
    assert operator.delete("/v1/organizations/acme-2").status == 204
    assert owner.get("/v1/organizations").problem[:2] == (401, "unauthenticated"), "the owner is nothing any more"
    assert operator.post("/v1/organizations", {"name": "acme-2"}).status == 201


def test_project_with_resources_is_not_deleted(api: Caller, cloud: Cloud) -> None:
    owner = member("owner", cloud.tenant.project.organization)
    finish(api.post("volumes", {"name": "data", "size_gib": 1}))
    refused = owner.delete("/v1/projects/alpha")
    assert refused.problem == (409, "identity.project.in_use", None)
    assert refused.body["facts"] == {"count": 2, "dependents": "network/lan, volume/data"}
    finish(api.delete("volumes/data"))
    api.delete("networks/lan")
    assert owner.delete("/v1/projects/alpha").status == 204
    assert api.get("/v1/projects").problem[:2] == (401, "unauthenticated"), "its tokens are dead"
    assert owner.get("/v1/projects/alpha").status == 404


def test_ambiguous_project_name_is_refused(owner: Caller) -> None:
    other = organization_create(name="other")
    project_create(other, name="web")
    membership_set(other, user=User.objects.get(), role="viewer")
    assert owner.get("/v1/projects/web").problem[:2] == (409, "identity.project.ambiguous")
    assert len(owner.get("/v1/projects?name=web").body["items"]) == 2


# ---- members


def test_only_an_owner_changes_owners_and_officers(owner: Caller, admin: Caller) -> None:
    member("member")
    path = f"{ACME}/members"
    for role in ("owner", "sovereignty_officer"):
        assert admin.patch(f"{path}/member@acme.example", {"role": role}).problem[:2] == (403, "identity.role_needed")
    assert admin.patch(f"{path}/owner@acme.example", {"role": "viewer"}).problem[:2] == (403, "identity.role_needed")
    assert admin.patch(f"{path}/member@acme.example", {"role": "billing"}).body["role"] == "billing"
    assert owner.patch(f"{path}/member@acme.example", {"role": "owner"}).body["role"] == "owner"
    assert {each["role"] for each in admin.get(path).body["items"]} == {"owner", "admin"}


def test_last_owner_is_not_removed(owner: Caller, admin: Caller) -> None:
    path = f"{ACME}/members/owner@acme.example"
    for answer in (owner.delete(path), owner.patch(path, {"role": "admin"})):
        assert answer.problem == (409, "identity.last_owner", None)
    assert owner.patch(f"{ACME}/members/admin@acme.example", {"role": "owner"}).status == 200
    assert owner.delete(path).status == 204
    assert owner.get(ACME).problem[:2] == (401, "unauthenticated")


def test_member_with_a_platform_role_cannot_become_officer(owner: Caller) -> None:
    for duty in ("operator", "support", "auditor"):
        user = user_create(email=f"{duty}@example.org", **{f"is_{duty}": True})
        membership_set(Organization.objects.get(), user=user, role="viewer")
        answer = owner.patch(f"{ACME}/members/{user.pk}", {"role": "sovereignty_officer"})
        assert answer.problem[:2] == (409, "identity.duties_mixed")


def test_removed_member_loses_sessions_and_tokens(owner: Caller, acme: Organization) -> None:
    viewer = member("viewer")
    assert viewer.get("instances").status == 200
    issued = member("member", name="bob").post("tokens", {"name": "ci"}).body["secret"]
    assert owner.delete(f"{ACME}/members/viewer@acme.example").status == 204
    assert owner.delete(f"{ACME}/members/bob@acme.example").status == 204
    assert viewer.get("instances").status == 401
    assert Caller(token=issued, project="web").get("instances").problem[:2] == (401, "identity.token.revoked")


def test_billing_role_reads_only_limits(acme: Organization) -> None:
    billing = member("billing")
    assert billing.get("limits").status == billing.get("/v1/projects/web").status == billing.get(ACME).status == 200
    for path in ("instances", "tokens", "operations", "policy", f"{ACME}/members", "/v1/drift"):
        assert billing.get(path).problem[:2] == (403, "identity.role_needed"), path
    other = organization_create(name="other")
    project_create(other, name="lab")
    membership_set(other, user=User.objects.get(), role="viewer")
    assert billing.get("/v1/drift").status == 200, "as the viewer of the other organization, and of that alone"


# ---- invitations


def test_an_invitation_is_shown_once_and_accepted_once(owner: Caller, db: None) -> None:
    created = owner.post(f"{ACME}/invitations", {"email": "bob@acme.example", "role": "viewer"})
    assert created.status == 201
    token = created.body["token"]
    (waiting,) = owner.get(f"{ACME}/invitations").body["items"]
    assert (waiting["email"], waiting["invited_by"]["email"]) == ("bob@acme.example", "owner@acme.example")
    assert token not in owner.get(f"{ACME}/invitations").text
    accepted = Caller(token=None).post("/v1/invitations/actions/accept", {"token": token})
    assert (accepted.status, accepted.body["user"]["email"]) == (200, "bob@acme.example")
    assert accepted.body["role"] == "viewer"
    repeated = Caller(token=None).post("/v1/invitations/actions/accept", {"token": token})
    assert repeated.problem == (422, "identity.invitation.invalid", "/token")
    assert owner.get(f"{ACME}/invitations").body["items"] == []


def test_new_users_by_invitation_are_limited(owner: Caller, settings: Settings) -> None:
    """Not of people who have never signed in, also when they are removed again."""
    settings.COUNTS_MAX = settings.COUNTS_MAX | {"newcomers": 2}
    accept, tokens = "/v1/invitations/actions/accept", []
    for name in ("a", "b", "c"):
        tokens.append(owner.post(f"{ACME}/invitations", {"email": f"{name}@acme.example"}).body["token"])
    for name, token in zip("ab", tokens, strict=False):
        assert Caller(token=None).post(accept, {"token": token}).status == 200
        assert owner.delete(f"{ACME}/members/{name}@acme.example").status == 204
    assert Caller(token=None).post(accept, {"token": tokens[2]}).problem[:2] == (409, "count_exhausted")
    create_session(User.objects.get(email="a@acme.example"), ClientInfo(), ["password"], is_two_factor=False)
    assert Caller(token=None).post(accept, {"token": tokens[2]}).status == 200


def test_token_reports_whether_it_follows_later_roles(owner: Caller) -> None:
    owner.post(f"{ACME}/service-accounts", {"name": "ci", "grants": [{"role": "viewer"}]})
    tokens = f"{ACME}/service-accounts/ci/tokens"
    bare = owner.post(tokens, {"name": "bare"}).body
    limited = owner.post(tokens, {"name": "limited", "role": "viewer"}).body
    assert (bare["follows_owner"], limited["follows_owner"]) == (True, False)
    owner.patch(f"{ACME}/service-accounts/ci", {"grants": [{"role": "member"}]})
    key = {"name": "laptop", "public_key": KEY}
    statuses = [Caller(token=each["secret"], project="web").post("ssh-keys", key).status for each in (limited, bare)]
    assert statuses == [403, 201]


def test_acceptance_of_an_invitation_checks_the_credential(owner: Caller, settings: Settings) -> None:
    """A session needs its second factor, a token needs the scope, and a service account cannot accept."""
    settings.SECOND_FACTOR_DUTIES = ["operator"]
    bob = user_create(email="bob@other.example", is_operator=True)
    token = owner.post(f"{ACME}/invitations", {"email": bob.email}).body["token"]
    unfinished = Caller(token=create_session(bob, ClientInfo(), ["password"], is_two_factor=False)[1])
    narrow = signed_in(bob, kinds=["instances"])
    owner.post(f"{ACME}/service-accounts", {"name": "ci", "grants": [{"role": "viewer"}]})
    created = owner.post(f"{ACME}/service-accounts/ci/tokens", {"name": "runner"}).body
    assert created["follows_owner"] is True
    assert (
        owner.post(f"{ACME}/service-accounts/ci/tokens", {"name": "b", "role": "viewer"}).body["follows_owner"] is False
    )
    accept = "/v1/invitations/actions/accept"
    assert unfinished.post(accept, {"token": token}).problem[:2] == (403, "signin.second_factor_demanded")
    assert narrow.post(accept, {"token": token}).problem[:2] == (403, "identity.scope_needed")
    assert Caller(token=created["secret"]).post(accept, {"token": token}).problem[:2] == (
        422,
        "identity.invitation.for_another",
    )
    finished = Caller(token=create_session(bob, ClientInfo(), ["password"], is_two_factor=True)[1])
    assert finished.post(accept, {"token": token}).status == 200


def test_invitation_is_accepted_only_by_its_known_user(owner: Caller) -> None:
    bob = user_create(email="bob@other.example")
    other = organization_create(name="other")
    membership_set(other, user=bob, role="viewer")
    token = owner.post(f"{ACME}/invitations", {"email": "Bob@other.example"}).body["token"]
    accept = "/v1/invitations/actions/accept"
    for caller in (Caller(token=None), owner):
        assert caller.post(accept, {"token": token}).problem[:2] == (422, "identity.invitation.for_another")
    assert signed_in(bob).post(accept, {"token": token}).body["role"] == "member"
    answer = owner.post(f"{ACME}/invitations", {"email": "bob@other.example"})
    assert answer.problem == (409, "identity.member.already", "/email")


@pytest.mark.parametrize("end", ["revoked", "expired", "replaced", "organization"])
def test_expired_invitation_is_refused(owner: Caller, end: str) -> None:
    created = owner.post(f"{ACME}/invitations", {"email": "bob@acme.example"}).body
    if end == "revoked":
        for _ in range(2):
            assert owner.delete(f"{ACME}/invitations/{created['id']}").status == 204
    elif end == "expired":
        Invitation.objects.update(expires_at=clock.now())
    elif end == "replaced":
        owner.post(f"{ACME}/invitations", {"email": "bob@acme.example"})
    else:
        Organization.objects.update(deleted_at=clock.now())
    answer = Caller(token=None).post("/v1/invitations/actions/accept", {"token": created["token"]})
    assert answer.problem[:2] == (422, "identity.invitation.invalid")
    assert not User.objects.filter(email="bob@acme.example").exists()


def test_invitation_cannot_exceed_the_role_of_its_sender(admin: Caller) -> None:
    for role in ("owner", "sovereignty_officer"):
        answer = admin.post(f"{ACME}/invitations", {"email": "bob@acme.example", "role": role})
        assert answer.problem[:2] == (403, "identity.role_needed")
    answer = admin.post(f"{ACME}/invitations", {"email": "bob"})
    assert answer.problem == (400, "identity.address_invalid", "/email")


# ---- service accounts


def robot(owner: Caller, *grants: dict[str, str]) -> tuple[str, Caller]:
    created = owner.post(f"{ACME}/service-accounts", {"name": "ci", "grants": list(grants)})
    assert created.status == 201, created.text
    issued = owner.post(f"{ACME}/service-accounts/ci/tokens", {"name": "laptop", "lifetime_days": 1})
    return created.body["id"], Caller(token=issued.body["secret"], project="web")


def test_a_service_account_has_its_grants_and_no_more(owner: Caller, acme: Organization) -> None:
    project_create(acme, name="shop")
    _, ci = robot(owner, {"project": "web", "role": "member"})
    assert [each["name"] for each in ci.get("/v1/projects").body["items"]] == ["web"]
    assert ci.post("networks", {"name": "lan", "cidr": "10.0.0.0/24"}).status == 201
    assert ci.get("/v1/projects/shop").status == ci.get(ACME).status == 404
    owner.patch(f"{ACME}/service-accounts/ci", {"grants": [{"role": "viewer"}]})
    assert len(ci.get("/v1/projects").body["items"]) == 2
    assert ci.post("networks", {"name": "wan", "cidr": "10.0.0.0/24"}).problem[:2] == (403, "identity.role_needed")
    me = ci.get("/v1/me").body
    assert (me["user"], me["service_account"]["name"], me["memberships"][0]["role"]) == (None, "ci", "viewer")


def test_tokens_of_a_disabled_account_are_refused(owner: Caller) -> None:
    _, ci = robot(owner, {"role": "viewer"})
    assert ci.get("instances").status == 200
    assert owner.patch(f"{ACME}/service-accounts/ci", {"is_disabled": True}).body["is_disabled"]
    assert ci.get("instances").problem[:2] == (401, "identity.service_account.disabled")
    owner.patch(f"{ACME}/service-accounts/ci", {"is_disabled": False})
    assert ci.get("instances").status == 200
    assert owner.delete(f"{ACME}/service-accounts/ci").status == 204
    assert ci.get("instances").problem[:2] == (401, "unauthenticated")
    assert not ServiceAccount.objects.exists()


def test_service_account_cannot_have_roles_of_persons(owner: Caller, admin: Caller) -> None:
    for role in ("owner", "sovereignty_officer"):
        answer = owner.post(f"{ACME}/service-accounts", {"name": "ci", "grants": [{"role": role}]})
        assert answer.problem == (422, "identity.persons_role", "/grants")
    twice = {"name": "ci", "grants": [{"role": "viewer"}, {"role": "member"}]}
    assert admin.post(f"{ACME}/service-accounts", twice).problem[:2] == (400, "named_twice")


# ---- tokens


def test_a_scope_limits_verbs_kinds_and_projects(owner: Caller, acme: Organization) -> None:
    project_create(acme, name="shop")
    body = {"name": "ci", "verbs": ["read"], "kinds": ["networks", "projects"], "projects": ["web"]}
    created = owner.post("/v1/tokens", body)
    assert (created.status, created.body["verbs"], created.body["kinds"]) == (201, ["read"], ["networks", "projects"])
    ci = Caller(token=created.body["secret"], project="web")
    assert ci.get("networks").status == ci.get("/v1/zones").status == ci.get("/v1/me").status == 200
    refused = ci.post("networks", {"name": "lan", "cidr": "10.0.0.0/24"})
    assert refused.problem[:2] == (403, "identity.scope_needed")
    assert refused.body["facts"] == {"scope": "networks:create"}
    assert ci.get("instances").body["facts"] == {"scope": "instances:read"}
    assert ci.get("/v1/projects/shop").status == 404
    assert ci.get(f"{ACME}/members").problem[:2] == (403, "identity.scope_needed")
    me = ci.get("/v1/me").body
    assert (me["credential"]["kind"], me["credential"]["name"], me["scope"]["verbs"]) == ("token", "ci", ["read"])


@pytest.mark.parametrize("path", ["/v1/tokens", "tokens", f"{ACME}/service-accounts/ci/tokens"])
def test_valid_tokens_of_one_owner_have_a_maximum(owner: Caller, settings: Settings, path: str) -> None:
    settings.TOKENS_PER_OWNER = 2 if "service-accounts" in path else 3  # with the one that asks
    account = {"name": "ci", "grants": [{"role": "member"}]}
    assert owner.post(f"{ACME}/service-accounts", account).status == 201
    created = [owner.post(path, {"name": name, "lifetime_days": 1}) for name in ("a", "b", "c")]
    assert [answer.status for answer in created] == [201, 201, 409]
    assert created[2].problem[:2] == (409, "identity.token.too_many")
    ApiToken.objects.filter(name="a").update(expires_at=clock.now())
    assert owner.post(path, {"name": "d", "lifetime_days": 1}).status == 201
    assert owner.post(path, {"name": "e", "lifetime_days": 1}).status == 409
    ApiToken.objects.filter(name="b").update(revoked_at=clock.now())
    assert owner.post(path, {"name": "e", "lifetime_days": 1}).status == 201


def test_token_cannot_issue_one_with_more_rights(owner: Caller, acme: Organization) -> None:
    shop = project_create(acme, name="shop")
    limits = {"verbs": ["read", "create"], "kinds": ["tokens", "networks"], "projects": ["web"], "role": "member"}
    limited = Caller(token=owner.post("/v1/tokens", {"name": "a", **limits}).body["secret"], project="web")
    wrong = [
        ({"verbs": None}, "/verbs"),
        ({"verbs": ["read", "delete"]}, "/verbs"),
        ({"kinds": ["instances"]}, "/kinds"),
        ({"projects": None}, "/projects"),
        ({"role": "admin"}, "/role"),
    ]
    for change, pointer in wrong:
        answer = limited.post("/v1/tokens", {"name": "b", **limits, **change})
        assert answer.problem == (403, "identity.token.more_than_own", pointer)
    assert limited.post("/v1/tokens", {"name": "b", **limits, "projects": [str(shop.pk)]}).problem == (
        422,
        "identity.project.not_found",
        "/projects/0",
    )
    whole = limited.post("tokens", {"name": "b", "role": "viewer"})
    assert whole.problem == (403, "identity.token.more_than_own", "/verbs"), "a project's own token is one as well"
    child = limited.post("/v1/tokens", {"name": "b", **limits, "lifetime_days": 366}).body
    assert child["expires_at"] <= ApiToken.objects.get(name="a").expires_at.isoformat().replace("+00:00", "Z")


def test_revoked_token_revokes_those_it_issued(owner: Caller) -> None:
    first = owner.post("/v1/tokens", {"name": "first"}).body
    second = Caller(token=first["secret"]).post("/v1/tokens", {"name": "second"}).body
    third = Caller(token=second["secret"], project="web").post("tokens", {"name": "third"}).body
    for _ in range(2):
        assert owner.delete(f"/v1/tokens/{first['id']}").status == 204
    for each in (first, second, third):
        assert Caller(token=each["secret"]).get("/v1/me").problem[:2] == (401, "identity.token.revoked")
    revoked_ids = AuditEntry.objects.filter(verb="token.revoke").values_list("resource_id", flat=True)
    assert {str(each) for each in revoked_ids} == {each["id"] for each in (first, second, third)}


def test_issue_and_revocation_are_recorded(owner: Caller) -> None:
    created = owner.post("/v1/tokens", {"name": "ci"}).body
    owner.delete(f"/v1/tokens/{created['id']}")
    verbs = list(
        AuditEntry.objects.filter(resource_id=created["id"]).order_by("pk").values_list("verb", "credential_id")
    )
    assert [verb for verb, _ in verbs] == ["token.create", "token.revoke"]
    assert all(credential is not None for _, credential in verbs)
    assert created["secret"] not in str(list(AuditEntry.objects.values_list("facts", flat=True)))


def test_last_use_of_a_token_is_recorded(owner: Caller) -> None:
    created = owner.post("/v1/tokens", {"name": "ci"}).body
    assert (created["last_used_at"], created["last_used_from"]) == (None, None)
    Caller(token=created["secret"]).get("/v1/me")
    (shown,) = owner.get("/v1/tokens?name=ci").body["items"]
    assert shown["last_used_at"] is not None
    assert shown["last_used_from"] == "127.0.0.1"


def test_organization_lists_and_revokes_all_its_tokens(owner: Caller, admin: Caller, acme: Organization) -> None:
    _, ci = robot(owner, {"role": "viewer"})
    issued = member("member", name="bob").post("tokens", {"name": "bobs"}).body
    stranger = organization_create(name="other")
    project_create(stranger, name="lab")
    lab = member("owner", stranger, name="eve").post("/v1/projects/lab/tokens", {"name": "x"}).body
    ids = {each["name"]: each["id"] for each in admin.get(f"{ACME}/tokens").body["items"]}
    assert ids.keys() == {"laptop", "bobs"}
    for token in ids.values():
        assert admin.delete(f"{ACME}/tokens/{token}").status == 204
    assert ci.get("/v1/me").status == Caller(token=issued["secret"]).get("/v1/me").status == 401
    assert admin.delete(f"{ACME}/tokens/{lab['id']}").problem[:2] == (404, "identity.token.not_found")


def test_operator_token_works_on_the_platform_and_not_in_projects(acme: Organization) -> None:
    operator = signed_in(user_create(email="op@example.org", is_operator=True))
    issued = operator.post("/v1/tokens", {"name": "nodes", "is_platform": True, "verbs": ["read", "operate"]})
    nodes = Caller(token=issued.body["secret"], project="web")
    assert nodes.get("/v1/nodes").status == 200
    assert nodes.get("/v1/me").body["duty"] == "operator"
    for role in ("viewer", "owner"):
        answer = operator.post("tokens", {"name": "mine", "role": role})
        assert answer.problem[:2] == (403, "identity.role_needed"), "no membership, no token of the project"
    assert operator.get("instances/web/console-log").problem[:2] == (403, "identity.role_needed")
    plain = operator.post("/v1/tokens", {"name": "plain"}).body["secret"]
    assert Caller(token=plain).get("/v1/nodes").status == 401, (
        "without the duty and a membership it is good for nothing"
    )


def test_owner_cannot_issue_a_platform_token(owner: Caller) -> None:
    answer = owner.post("/v1/tokens", {"name": "ops", "is_platform": True})
    assert answer.problem[:2] == (403, "identity.role_needed")


def test_support_sees_resources_without_their_content(acme: Organization) -> None:
    support = signed_in(user_create(email="sue@example.org", is_support=True))
    assert support.get("instances").status == support.get(f"{ACME}/members").status == 200
    assert support.get("/v1/nodes").status == 200
    for path in ("instances/web/console-log", f"{ACME}/invitations", f"{ACME}/tokens"):
        assert support.get(path).problem[:2] == (403, "identity.role_needed")
    assert support.post("networks", {"name": "lan", "cidr": "10.0.0.0/24"}).status == 403


# ---- versions


def test_each_access_change_accepts_if_match(owner: Caller) -> None:
    member("viewer", name="bob")
    assert owner.post(f"{ACME}/service-accounts", {"name": "ci"}).status == 201
    edits = {
        ACME: ({"labels": {"env": "prod"}}, {"labels": {"env": "test"}}),
        "/v1/projects/web": ({"labels": {"env": "prod"}}, {"labels": {"env": "test"}}),
        f"{ACME}/members/bob@acme.example": ({"role": "member"}, {"role": "admin"}),
        f"{ACME}/service-accounts/ci": ({"is_disabled": True}, {"is_disabled": False}),
    }
    for path, (edit, late_edit) in edits.items():
        read = owner.get(path)
        changed = owner.patch(path, edit, If_Match=read.headers["ETag"])
        assert changed.body["generation"] == read.body["generation"] + 1
        assert owner.patch(path, late_edit, If_Match=read.headers["ETag"]).problem[:2] == (412, "outdated")
        if path != ACME:  # that is an operator's to delete
            assert owner.delete(path, If_Match=read.headers["ETag"]).problem[:2] == (412, "outdated")
        now = owner.get(path)
        assert {name: now.body[name] for name in changed.body} == changed.body  # it says besides what one may do there
        assert owner.patch(path, late_edit, If_Match=now.headers["ETag"]).status == 200
