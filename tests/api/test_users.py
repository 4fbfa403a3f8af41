"""One operator ends a user, a platform role or a token for the platform at once."""

from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from pytest_django import Settings

from controlplane.audit.models import AuditEntry
from controlplane.identity.actor import SYSTEM, Actor
from controlplane.identity.credentials import refresh_actor
from controlplane.identity.invitations import invitation_create
from controlplane.identity.models import ApiToken, Invitation, Membership, Organization, Role, User
from controlplane.identity.service_accounts import service_account_create
from controlplane.identity.services import membership_set, organization_create, project_create, user_create
from controlplane.identity.tokens import NewToken, account_token_create, own_token_create, token_issue
from controlplane.kernel.errors import Unauthenticated
from controlplane.signin import resets, users
from controlplane.signin.client_info import ClientInfo
from controlplane.signin.models import PasswordLink, Session
from controlplane.signin.selectors import refresh_signed_in
from controlplane.signin.sessions import create_session
from tests.api import user_accounts
from tests.api.client import Caller
from tests.api.user_accounts import Person, make_person
from tests.cases import in_one_cloud

pytestmark = pytest.mark.django_db
MONTH = timedelta(days=30)


@pytest.fixture(autouse=True)
def quick(settings: Settings) -> None:
    settings.PASSWORD_HASHERS = [user_accounts.QUICK]
    settings.SECOND_FACTOR_DUTIES = []


def caller_of(user: User) -> Caller:
    return Caller(token=token_issue(user, project=None, name="laptop", role="", lifetime=MONTH)[1])


def owner_of(organization: Organization) -> Actor:
    return replace(SYSTEM, role=Role.OWNER, organization_id=organization.pk)


def actor_of(session: Session) -> Actor:
    sign_in = refresh_signed_in(session.pk)
    assert sign_in is not None
    return sign_in.actor


@dataclass
class People:
    """Ada owns acme, and so does olga; otto and oscar are operators, ines is an auditor."""

    acme: Organization
    ada: Person
    otto: Person
    oscar: Person
    ines: Person
    as_otto: Caller = field(init=False)
    as_ada: Caller = field(init=False)

    def __post_init__(self) -> None:
        self.as_otto, self.as_ada = caller_of(self.otto.user), caller_of(self.ada.user)

    def url(self, person: Person, more: str = "") -> str:
        return f"/v1/users/{person.user.pk}{more}"

    def put_out(self, person: Person, how: str, caller: Caller | None = None) -> int:
        by = caller or self.as_otto
        if how == "suspend":
            return by.post(self.url(person, "/actions/suspend")).status
        return by.delete(self.url(person, "/duty" if how == "duty" else "")).status


@pytest.fixture
def people(db: None) -> People:
    acme = organization_create(name="acme")
    project_create(acme, name="web")
    ada, _olga = (make_person(name, organization=acme, role="owner") for name in ("ada", "olga"))
    otto, oscar = (make_person(name, is_operator=True) for name in ("otto", "oscar"))
    return People(acme, ada, otto, oscar, make_person("ines", is_auditor=True))


def deeds(verb: str) -> list[AuditEntry]:
    return list(AuditEntry.objects.filter(verb=verb))


def test_operators_and_auditors_list_accounts(people: People) -> None:
    people.ada.signed_in()
    for caller in (people.as_otto, caller_of(people.ines.user)):
        listed = {each["email"]: each for each in caller.get("/v1/users").body["items"]}
        assert listed["ada@people.example"] | {"id": 0, "created_at": 0, "updated_at": 0} == {
            "id": 0,
            "email": "ada@people.example",
            "duty": "",
            "state": "active",
            "has_second_factor": False,
            "last_sign_in_at": listed["ada@people.example"]["last_sign_in_at"],
            "tokens": 1,
            "suspended_at": None,
            "ended_at": None,
            "generation": 1,
            "created_at": 0,
            "updated_at": 0,
        }
        assert listed["ada@people.example"]["last_sign_in_at"] is not None
        assert (listed["otto@people.example"]["duty"], listed["ines@people.example"]["duty"]) == ("operator", "auditor")
    assert people.as_ada.get("/v1/users").status == 403
    assert caller_of(make_person("sam", is_support=True).user).get("/v1/users").status == 403


@in_one_cloud(
    ("query", "names"),
    [
        ("duty=operator", ["oscar", "otto"]),
        ("duty=auditor", ["ines"]),
        ("duty=none", ["ada", "olga"]),
        ("state=suspended", ["oscar"]),
        ("state=active", ["ada", "ines", "olga", "otto"]),
        ("email=ADA@people.example", ["ada"]),
    ],
)
def test_users_are_filtered(people: People, query: str, names: list[str]) -> None:
    assert people.put_out(people.oscar, "suspend") == 200
    items = people.as_otto.get(f"/v1/users?{query}&sort=email").body["items"]
    assert [each["email"].partition("@")[0] for each in items] == names


def test_suspended_user_cannot_sign_in_and_loses_nothing(people: People) -> None:
    browser = people.ada.signed_in()
    assert people.put_out(people.ada, "suspend") == 200
    assert browser.get("/v1/me").status == 401
    assert people.as_ada.get("/v1/me").problem[:2] == (401, "identity.user.suspended")
    assert people.ada.sign_in().problem[:2] == (401, "identity.user.suspended")
    assert people.ada.sign_in(password="wrong").problem[:2] == (401, "signin.refused")
    assert people.as_otto.post(people.url(people.ada, "/actions/reinstate")).body["state"] == "active"
    assert people.as_ada.get("/v1/me").body["memberships"][0]["role"] == "owner"
    assert people.ada.sign_in().status == 201
    assert browser.get("/v1/me").status == 401


def test_ended_user_has_no_working_credential(people: People) -> None:
    browser, user = people.ada.signed_in(), people.ada.user
    session = Session.objects.get(user=user)
    account = service_account_create(owner_of(people.acme), people.acme, name="ci", grants={None: "member"})
    actor = actor_of(session)
    of_account, _ = account_token_create(actor.within_organization(people.acme), account, NewToken("ci", "", MONTH))
    invitation_create(owner_of(people.acme), people.acme, email="bob@people.example", role="viewer", lifetime_days=7)
    Invitation.objects.update(invited_by=user)
    resets.link_put(user)
    other = organization_create(name="other")
    invitation_create(owner_of(other), other, email=user.email.upper(), role="viewer", lifetime_days=7)
    assert people.put_out(people.ada, "end") == 204
    assert browser.get("/v1/me").status == 401
    assert people.as_ada.get("/v1/me").problem[:2] == (401, "identity.user.ended")
    assert people.ada.sign_in().problem[:2] == (401, "identity.user.ended")
    assert not Membership.objects.filter(user=user).exists()
    assert not ApiToken.objects.filter(user=user, revoked_at=None).exists()
    assert ApiToken.objects.get(pk=of_account.pk).revoked_at is not None
    assert not Invitation.objects.filter(revoked_at=None).exists()
    assert not PasswordLink.objects.filter(user=user).exists()
    assert people.as_otto.get(people.url(people.ada)).body["email"] == user.email
    assert {str(each.organization_id) for each in deeds("user.end")} == {"None", str(people.acme.pk)}
    assert [each.user_id for each in deeds("member.remove")] == [people.otto.user.pk]
    assert people.put_out(people.ada, "end") == 204
    assert len(deeds("user.end")) == 2


def test_reinstated_user_has_only_the_address(people: People) -> None:
    people.put_out(people.ada, "end")
    with pytest.raises(Exception, match="was ended"):
        membership_set(people.acme, user=User.objects.get(pk=people.ada.user.pk), role=Role.VIEWER)
    assert people.as_otto.post(people.url(people.ada, "/actions/suspend")).problem[:2] == (409, "identity.user.is_over")
    assert people.as_otto.post(people.url(people.ada, "/actions/reinstate")).body["state"] == "active"
    assert people.ada.sign_in().problem[:2] == (401, "signin.refused")
    assert people.as_ada.get("/v1/me").problem[:2] == (401, "identity.token.revoked")


def test_removed_platform_role_revokes_its_tokens(people: People) -> None:
    as_oscar = caller_of(people.oscar.user)
    browser = people.oscar.signed_in()
    assert as_oscar.get("/v1/nodes").status == 200
    assert people.put_out(people.oscar, "duty") == 204
    assert as_oscar.get("/v1/nodes").problem[:2] == (401, "identity.token.revoked")
    assert browser.get("/v1/nodes").status == 403
    [entry] = deeds("user.duty_remove")
    assert (entry.user_id, entry.facts) == (people.otto.user.pk, {"duty": "operator"})


def test_user_gives_up_only_the_own_platform_role(people: People) -> None:
    as_ines = caller_of(people.ines.user)
    assert people.put_out(people.oscar, "duty", as_ines) == 403
    assert as_ines.delete("/v1/me/duty").status == 204
    assert User.objects.get(pk=people.ines.user.pk).platform_role == ""


@pytest.mark.parametrize("how", ["suspend", "end", "duty"])
def test_last_operator_is_not_removed_by_the_api(people: People, how: str) -> None:
    assert people.put_out(people.oscar, how) in (200, 204)
    answer = people.as_otto.get(people.url(people.otto)).body["allowed_actions"]
    assert {each["name"] for each in answer if not each["is_allowed"]} == {"suspend", "end", "duty-remove"}
    assert people.put_out(people.otto, how) == 409
    assert people.as_otto.get("/v1/nodes").status == 200
    users.user_suspend(SYSTEM, people.otto.user)
    assert people.as_otto.get("/v1/nodes").status == 401


@pytest.mark.parametrize("how", ["suspend", "end"])
def test_repeated_check_ends_streams_of_an_ended_user(people: People, how: str) -> None:
    """Streams and consoles call these every STREAM_CHECK_S."""
    session, _ = create_session(people.ada.user, ClientInfo(), ["password"], is_two_factor=False)
    token = ApiToken.objects.get(user=people.ada.user)
    assert refresh_signed_in(session.pk) is not None
    assert refresh_actor(token.pk) is not None
    people.put_out(people.ada, how)
    assert refresh_signed_in(session.pk) is None
    with pytest.raises(Unauthenticated):
        refresh_actor(token.pk)


def test_platform_token_is_revoked_by_another_operator(people: People) -> None:
    as_oscar = caller_of(people.oscar.user)
    as_oscar.get("/v1/me")
    listed = {each["user"]["email"]: each for each in people.as_otto.get("/v1/platform/tokens").body["items"]}
    assert set(listed) == {"otto@people.example", "oscar@people.example"}
    assert listed["oscar@people.example"]["last_used_at"] is not None
    url = f"/v1/platform/tokens/{listed['oscar@people.example']['id']}"
    assert caller_of(people.ines.user).delete(url).status == 403
    assert people.as_otto.delete(url).status == 204
    assert as_oscar.get("/v1/me").problem[:2] == (401, "identity.token.revoked")
    [entry] = deeds("token.revoke")
    assert entry.user_id == people.otto.user.pk
    of_ada = ApiToken.objects.get(user=people.ada.user)
    assert people.as_otto.delete(f"/v1/platform/tokens/{of_ada.pk}").status == 404


def test_a_dry_run_and_an_old_version_change_nothing(people: People) -> None:
    url = people.url(people.ada, "/actions/suspend")
    tag = people.as_otto.get(people.url(people.ada)).headers["ETag"]
    assert people.as_otto.post(f"{url}?dry_run=true").body["state"] == "suspended"
    assert people.ada.sign_in().status == 201
    assert people.as_otto.post(url, If_Match='"0.0"').status == 412
    assert people.as_otto.post(url, {"reason": "theft"}, If_Match=tag).status == 200
    assert [each.facts for each in deeds("user.suspend") if each.organization_id is None] == [{"reason": "theft"}]
    assert people.as_otto.post(url).body["generation"] == 2
    assert len(deeds("user.suspend")) == 2


def test_tokens_of_sessions_are_revoked_on_request(people: People) -> None:
    session, _ = create_session(people.ada.user, ClientInfo(), ["password"], is_two_factor=False)
    created, _ = own_token_create(actor_of(session), NewToken("phone", "", MONTH))
    people.as_otto.post(people.url(people.ada, "/actions/suspend"), {"revoke_tokens": True})
    assert ApiToken.objects.get(pk=created.pk).revoked_at is not None


def test_ended_user_is_not_recreated(people: People) -> None:
    people.put_out(people.ada, "end")
    with pytest.raises(Exception, match="already"):
        user_create(email=people.ada.user.email)
