"""Password links alone take over no account: for one in use, it takes two people and a wait."""

from dataclasses import dataclass
from datetime import timedelta

import pytest
from pytest_django import Settings

from controlplane.audit.models import AuditEntry
from controlplane.identity.models import Organization, User
from controlplane.identity.services import membership_set, organization_create, user_create
from controlplane.identity.tokens import token_issue
from controlplane.kernel import clock
from controlplane.signin import sessions
from controlplane.signin.client_info import ClientInfo
from controlplane.signin.models import PasswordLink, PasswordReset, Session, Totp
from controlplane.signin.sessions import purge
from tests.api import user_accounts
from tests.api.client import Answer, Caller
from tests.api.user_accounts import PASSWORD, Person, enrol_totp, make_person

pytestmark = pytest.mark.django_db
OTHER = "four large blue windows"


@pytest.fixture(autouse=True)
def quick(settings: Settings) -> None:
    settings.PASSWORD_HASHERS = [user_accounts.QUICK]


def browser(user: User, *, is_two_factor: bool = True) -> Caller:
    _, secret = sessions.create_session(user, ClientInfo(), ["password"], is_two_factor=is_two_factor)
    return Caller(token=secret)


@dataclass
class People:
    acme: Organization
    ada: Person
    otto: Caller
    oscar: Caller
    olga: Caller

    @property
    def resets(self) -> str:
        return f"/v1/users/{self.ada.user.pk}/password-resets"

    def asked(self) -> str:
        return str(self.otto.post(self.resets).body["id"])

    def set_password(self, secret: str) -> Answer:
        return self.ada.anybody.post("/v1/password/actions/set", {"secret": secret, "new_password": OTHER})


@pytest.fixture
def people(db: None) -> People:
    """Ada, a member of acme, which olga owns; otto and oscar are operators."""
    acme = organization_create(name="acme")
    ada = make_person("ada", organization=acme)
    otto, oscar = (user_create(email=f"{name}@cloud.example", is_operator=True) for name in ("otto", "oscar"))
    olga = user_create(email="olga@acme.example")
    membership_set(acme, user=olga, role="owner")
    return People(acme, ada, browser(otto), browser(oscar), browser(olga))


def in_use(user: User, acme: Organization, what: str) -> None:
    if what == "membership":
        membership_set(acme, user=user, role="viewer")
    elif what == "duty":
        User.objects.filter(pk=user.pk).update(is_auditor=True)
    elif what == "totp":
        Totp.objects.create(user=user, encrypted_secret=b"", confirmed_at=clock.now())
    else:
        token_issue(user, project=None, name="ci", role="", lifetime=timedelta(days=1))


@pytest.mark.parametrize("what", ["membership", "duty", "totp", "token"])
def test_an_account_in_use_gets_no_link_from_one_operator(people: People, what: str) -> None:
    user = user_create(email="new@people.example")
    link = people.otto.post(f"/v1/users/{user.pk}/password-links").body["secret"]
    in_use(user, people.acme, what)
    answer = people.otto.post(f"/v1/users/{user.pk}/password-links")
    assert answer.problem == (409, "signin.reset_needed", None)
    assert people.set_password(link).problem == (401, "signin.link_refused", None), "nor with an earlier one"


def test_password_link_needs_a_session_with_a_fresh_second_factor(people: People) -> None:
    user = user_create(email="new@people.example")
    otto = User.objects.get(email="otto@cloud.example")
    token = Caller(token=token_issue(otto, project=None, name="ci", role="", lifetime=timedelta(days=1))[1])
    one_factor = browser(otto, is_two_factor=False)
    reset = people.asked()
    Session.objects.filter(user__email="oscar@cloud.example").update(proved_at=clock.now() - timedelta(minutes=6))
    for path in (f"/v1/users/{user.pk}/password-links", people.resets, f"/v1/password-resets/{reset}/actions/confirm"):
        assert token.post(path).problem == (403, "signin.session_needed", None)
        assert one_factor.post(path).problem == (403, "signin.second_factor_demanded", None)
        assert people.oscar.post(path).problem == (403, "signin.proof_too_old", None)
    assert not PasswordLink.objects.exists()


@pytest.mark.parametrize("who", ["oscar", "olga"])
def test_a_second_person_confirms_and_the_link_waits(people: People, who: str) -> None:
    requested = people.otto.post(people.resets)
    assert (requested.status, requested.body["confirmed_by"], "secret" in requested.body) == (201, None, False)
    second: Caller = getattr(people, who)
    assert [each["id"] for each in second.get("/v1/password-resets").body["items"]] == [requested.body["id"]]
    confirm = f"/v1/password-resets/{requested.body['id']}/actions/confirm"
    answer = second.post(confirm)
    assert (answer.status, answer.headers["Cache-Control"]) == (200, "no-store")
    secret = answer.body["secret"]
    assert people.set_password(secret).problem == (403, "signin.link_too_early", None)
    assert second.post(confirm).problem == (404, "signin.password_reset.not_found", None), "once"
    PasswordLink.objects.update(valid_from=clock.now())
    assert people.set_password(secret).status == 204
    assert people.ada.sign_in(password=OTHER).status == 201
    assert not PasswordReset.objects.exists()
    entries = AuditEntry.objects.filter(organization_id=people.acme.pk, verb__startswith="password_reset.").order_by(
        "pk"
    )
    assert [each.verb for each in entries] == ["password_reset.create", "password_reset.confirm"]
    assert secret not in str(list(AuditEntry.objects.values()))


def test_requester_and_other_organizations_cannot_confirm(people: People) -> None:
    confirm = f"/v1/password-resets/{people.asked()}/actions/confirm"
    assert people.otto.post(confirm).problem == (403, "signin.second_person_needed", None)
    globex = organization_create(name="globex")
    eve = user_create(email="eve@globex.example")
    membership_set(globex, user=eve, role="owner")
    stranger = browser(eve)
    assert stranger.get("/v1/password-resets").body["items"] == []
    assert stranger.post(confirm).problem == (404, "signin.password_reset.not_found", None)
    assert stranger.delete(confirm.removesuffix("/actions/confirm")).status == 404
    admin = make_person("ann", organization=people.acme, role="admin")
    assert browser(admin.user).post(confirm).problem == (403, "identity.role_needed", None)
    auditor = user_create(email="aude@cloud.example", is_auditor=True)
    assert browser(auditor).post(confirm).problem == (403, "identity.role_needed", None)
    assert not PasswordLink.objects.exists()


def test_former_or_requesting_operator_cannot_confirm_as_owner(people: People) -> None:
    reset = people.asked()
    User.objects.filter(email="otto@cloud.example").update(is_operator=False)
    answer = people.olga.post(f"/v1/password-resets/{reset}/actions/confirm")
    assert answer.problem == (404, "signin.password_reset.not_found", None)


def test_user_sees_and_withdraws_an_own_reset_with_its_link(people: People) -> None:
    mine = browser(people.ada.user)
    reset = people.asked()
    secret = people.olga.post(f"/v1/password-resets/{reset}/actions/confirm").body["secret"]
    PasswordLink.objects.update(valid_from=clock.now())
    assert mine.get(f"/v1/password-resets/{reset}").body["asked_by"]["email"] == "otto@cloud.example"
    assert mine.post(f"/v1/password-resets/{reset}/actions/confirm").problem[:2] == (403, "identity.role_needed")
    assert mine.delete(f"/v1/password-resets/{reset}").status == 204
    assert people.set_password(secret).problem == (401, "signin.link_refused", None)
    assert people.ada.sign_in(password=PASSWORD).status == 201


def test_password_reset_keeps_the_second_factor(people: People) -> None:
    enrol_totp(people.ada.signed_in())
    secret = people.olga.post(f"/v1/password-resets/{people.asked()}/actions/confirm").body["secret"]
    PasswordLink.objects.update(valid_from=clock.now())
    assert people.set_password(secret).status == 204
    assert people.ada.sign_in(password=OTHER).problem == (401, "signin.code_needed", None)


def test_unconfirmed_reset_expires(people: People) -> None:
    reset = people.asked()
    PasswordReset.objects.update(expires_at=clock.now())
    assert people.olga.post(f"/v1/password-resets/{reset}/actions/confirm").status == 404
    purge()
    assert not PasswordReset.objects.exists()


@pytest.mark.parametrize(("duty", "role"), [("auditor", ""), ("support", ""), ("", "admin")])
def test_privileged_user_needs_a_second_factor(people: People, duty: str, role: str) -> None:
    marks = {f"is_{duty}": True} if duty else {}
    person = make_person("paul", organization=people.acme if role else None, role=role or "member", **marks)
    assert person.signed_in().get("/v1/projects").problem == (403, "signin.second_factor_demanded", None)
