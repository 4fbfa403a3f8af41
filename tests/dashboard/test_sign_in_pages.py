"""Ways in besides the password."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings as configured
from django.test import Client
from pytest_django import Settings

from controlplane.dashboard import cookies
from controlplane.identity.actor import SYSTEM, Actor
from controlplane.identity.invitations import invitation_create
from controlplane.identity.models import Membership, User
from controlplane.identity.services import membership_set, user_create
from controlplane.signin.credentials import password_link_create
from tests.api.client import Caller
from tests.api.test_openid import PEOPLE, Staff, known, listed, provider
from tests.dashboard.conftest import browser_of
from tests.world import Cloud

NEW = "four large blue windows"


@pytest.fixture
def invitation(cloud: Cloud) -> str:
    organization = cloud.tenant.project.organization
    owner = user_create(email="owner@people.example")
    _, secret = invitation_create(
        Actor(owner.pk, None, None, "owner"), organization, email="bob@people.example", role="member", lifetime_days=7
    )
    return secret


def test_first_password_is_set_by_a_link(cloud: Cloud) -> None:
    user = user_create(email="bob@people.example")
    secret, _ = password_link_create(SYSTEM, user)
    browser = Client()
    assert secret.encode() in browser.get(f"/password?secret={secret}").content
    form = {"secret": secret, "new_password": NEW, "repeated": NEW}
    assert browser.post("/password", form)["Location"] == "/sign-in"
    assert b"Password set." in browser.get("/sign-in").content
    answer = browser.post("/sign-in", {"email": user.email, "password": NEW, "next": "/account"})
    assert answer["Location"] == "/account"
    assert b"The form has errors." in browser.post("/password", form).content  # it was good once


def test_new_user_accepts_an_invitation(invitation: str) -> None:
    browser = Client()
    assert b"sign in first" in browser.get(f"/invitation?token={invitation}").content
    page = browser.post("/invitation", {"token": invitation}).content
    assert b"Invitation accepted" in page and b"bob@people.example" in page
    assert Membership.objects.filter(user__email="bob@people.example").count() == 1
    assert b"not valid" in browser.post("/invitation", {"token": invitation}).content


def test_signed_in_user_accepts_an_invitation(invitation: str) -> None:
    bob = user_create(email="bob@people.example")
    assert b"Sign in as that user" in Client().post("/invitation", {"token": invitation}).content
    browser = browser_of(bob)
    assert b"You accept the invitation as" in browser.get(f"/invitation?token={invitation}").content
    answer = browser.post("/invitation", {"token": invitation})
    assert answer["Location"].startswith("/organizations/")
    assert b"alpha-org" in browser.get(answer["Location"]).content
    assert User.objects.filter(email="bob@people.example").count() == 1


def test_unknown_provider_is_reported_on_the_page(cloud: Cloud) -> None:
    browser = Client()
    assert browser.get("/sign-in/openid/nobody")["Location"] == "/sign-in"
    assert b"There is no OpenID provider" in browser.get("/sign-in").content


@pytest.mark.parametrize("cookie", ["", "provider=staff&binding=x"])
def test_sign_in_of_another_browser_is_not_completed(cloud: Cloud, cookie: str) -> None:
    browser = Client()
    browser.cookies["andromede_openid"] = cookie
    answer = browser.get("/signed-in?state=s&code=c")
    assert answer["Location"] == "/sign-in"
    assert cookies.SESSION not in answer.cookies


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with provider(tmp_path_factory.mktemp("op"), is_in_id_token=True) as address:
        yield address


@pytest.fixture
def staff(issuer: str, cloud: Cloud, settings: Settings, tmp_path: Path) -> Staff:
    settings.ALLOWED_HOSTS = ["console.example"]
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    organization = cloud.tenant.project.organization.name
    groups = {"cloud": {"organization": organization, "role": "member"}}
    listed(known(issuer, settings, tmp_path), title="Acme staff", groups=groups)
    created = Staff(issuer, Caller(token=None))
    created.send_to_provider("claims", user="ada", claims=PEOPLE["ada"])
    return created


def at_the_console(browser: Client) -> Client:
    browser.defaults |= {"HTTP_HOST": "console.example", "HTTP_X_FORWARDED_PROTO": "https"}
    return browser


def test_provider_sign_in_is_completed_once(staff: Staff) -> None:
    browser = at_the_console(Client())
    sign_in = browser.get("/sign-in?next=/account")
    assert sign_in.cookies[configured.CSRF_COOKIE_NAME]["secure"], "as its prefix demands"
    page = sign_in.content
    assert b"Sign in with Acme staff" in page and b"/sign-in/openid/staff?next=/account" in page
    url = browser.get("/sign-in/openid/staff?next=/account")["Location"]
    back = staff.browse(url, "ada")
    assert at_the_console(Client()).get("/signed-in", back)["Location"] == "/sign-in"  # another browser
    answer = browser.get("/signed-in", back)
    assert answer["Location"] == "/account"
    session = answer.cookies[cookies.SESSION]
    assert session["httponly"] and session["secure"]
    assert all(name.startswith("__Host-") for name in (cookies.SESSION, configured.CSRF_COOKIE_NAME))
    assert (session["path"], session["domain"]) == ("/", ""), "as the prefix demands"
    assert b"ada@people.example" in browser.get("/account").content
    assert b"OpenID provider staff" in browser.get("/account/sessions").content
    assert browser.get("/signed-in", back)["Location"] == "/sign-in"


def test_an_identity_is_linked_and_unlinked(staff: Staff, cloud: Cloud) -> None:
    ada = user_create(email="ada@people.example")
    membership_set(cloud.tenant.project.organization, user=ada, role="viewer")
    browser = at_the_console(browser_of(ada))
    browser.get("/account/identities/staff/link")
    assert "andromede_openid" not in browser.cookies  # a link of others begins nothing
    page = browser.post("/account/identities/staff/link")
    back = staff.browse(page.context["url"], "ada")
    assert browser.get("/signed-in", back)["Location"] == "/account/sign-in"
    page = browser.get("/account/sign-in")
    [identity] = page.context["identities"]
    assert staff.issuer.encode() in page.content
    browser.post(f"/account/identities/{identity['id']}/unlink")
    assert browser.get("/account/sign-in").context["identities"] == []
