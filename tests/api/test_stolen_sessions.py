"""A stolen session does not become a token, and what it has issued can be ended with it."""

from datetime import timedelta

import pytest
from pytest_django import Settings

from controlplane.audit.models import AuditEntry
from controlplane.identity.models import ApiToken, Organization
from controlplane.identity.service_accounts import service_account_create
from controlplane.identity.services import organization_create, project_create
from controlplane.identity.tokens import token_issue
from controlplane.kernel import clock
from controlplane.signin import sessions
from controlplane.signin.client_info import ClientInfo
from controlplane.signin.models import Session
from controlplane.signin.selectors import signed_in
from tests.api import user_accounts
from tests.api.client import Caller
from tests.api.user_accounts import PASSWORD, Person, make_person

pytestmark = pytest.mark.django_db
OTHER = "four large blue windows"


@pytest.fixture(autouse=True)
def quick(settings: Settings) -> None:
    settings.PASSWORD_HASHERS = [user_accounts.QUICK]
    settings.SECOND_FACTOR_DUTIES = []


@pytest.fixture
def acme(db: None) -> Organization:
    acme = organization_create(name="acme")
    project_create(acme, name="web")
    return acme


@pytest.fixture
def ada(acme: Organization) -> Person:
    return make_person("ada", organization=acme, role="owner")


def issue(caller: Caller, path: str = "/v1/tokens", name: str = "ci") -> Caller:
    answer = caller.post(path, {"name": name, "lifetime_days": 30})
    assert answer.status == 201, answer.text
    return Caller(token=answer.body["secret"])


def test_token_issue_needs_a_fresh_proof_and_is_recorded(ada: Person, acme: Organization) -> None:
    caller = ada.signed_in()
    actor = signed_in(str(caller.token)).actor.within_organization(acme)  # type: ignore[union-attr]
    service_account_create(actor, acme, name="robot", grants={None: "member"})
    Session.objects.update(proved_at=clock.now() - timedelta(minutes=6))
    places = ("/v1/tokens", "/v1/projects/web/tokens", "/v1/organizations/acme/service-accounts/robot/tokens")
    for path in places:
        body = {"name": "ci", "lifetime_days": 30} | ({"role": "member"} if "projects" in path else {})
        assert caller.post(path, body).problem == (403, "signin.proof_too_old", None)
    assert not ApiToken.objects.exists()
    assert caller.post("/v1/sessions/actions/verify", {"password": PASSWORD}).status == 200
    token = issue(caller)
    assert issue(token, name="second").get("/v1/me").status == 200, "a token has its own limits, and needs no proof"
    assert AuditEntry.objects.filter(verb="token.create", organization_id=acme.pk).count() == 2


def test_ending_sessions_revokes_their_tokens_on_request(ada: Person) -> None:
    _, secret = token_issue(ada.user, project=None, name="by-manage", role="", lifetime=timedelta(days=1))
    for ending in ("end-others", "password"):
        caller = ada.signed_in()
        issued = issue(caller)
        child = issue(issued, name="child")
        for revoke_tokens in (False, True):
            body: dict[str, object] = {"revoke_tokens": revoke_tokens}
            if ending == "password":
                path = "/v1/password/actions/change"
                body |= {"old_password": OTHER if revoke_tokens else PASSWORD, "new_password": OTHER + "!"}
                body["new_password"] = PASSWORD if revoke_tokens else OTHER
            else:
                path = "/v1/sessions/actions/end-others"
            assert caller.post(path, body).status == 204
            expected = 401 if revoke_tokens else 200
            assert [each.get("/v1/me").status for each in (issued, child)] == [expected] * 2, ending
    assert Caller(token=secret).get("/v1/me").status == 200, "no session made it"


def test_operator_ending_sessions_revokes_their_tokens(ada: Person) -> None:
    issued = issue(ada.signed_in())
    otto = make_person("otto", is_operator=True)
    operator = Caller(token=sessions.create_session(otto.user, ClientInfo(), ["password"], is_two_factor=True)[1])
    assert operator.delete(f"/v1/users/{ada.user.pk}/sessions").status == 204
    assert issued.get("/v1/me").problem == (401, "identity.token.revoked", None)
