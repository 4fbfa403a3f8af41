"""Ways in besides the password."""

import pytest
from django.test import Client

from controlplane.identity.actor import SYSTEM, Actor
from controlplane.identity.invitations import invitation_create
from controlplane.identity.models import Membership, User
from controlplane.identity.services import user_create
from controlplane.signin.credentials import password_link_create
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


def test_a_first_password_by_a_link(cloud: Cloud) -> None:
    user = user_create(email="bob@people.example")
    secret, _ = password_link_create(SYSTEM, user)
    browser = Client()
    assert secret.encode() in browser.get(f"/password?secret={secret}").content
    form = {"secret": secret, "new_password": NEW, "repeated": NEW}
    assert browser.post("/password", form)["Location"] == "/sign-in"
    assert b"Your password is set." in browser.get("/sign-in").content
    answer = browser.post("/sign-in", {"email": user.email, "password": NEW, "next": "/account"})
    assert answer["Location"] == "/account"
    assert b"This was not accepted." in browser.post("/password", form).content  # it was good once


def test_a_newcomer_accepts_an_invitation(invitation: str) -> None:
    browser = Client()
    assert b"sign in first" in browser.get(f"/invitation?token={invitation}").content
    page = browser.post("/invitation", {"token": invitation}).content
    assert b"You are in" in page and b"bob@people.example" in page
    assert Membership.objects.filter(user__email="bob@people.example").count() == 1
    assert b"not valid" in browser.post("/invitation", {"token": invitation}).content


def test_somebody_known_accepts_as_who_they_are(invitation: str) -> None:
    bob = user_create(email="bob@people.example")
    assert b"sign in as that user" in Client().post("/invitation", {"token": invitation}).content
    browser = browser_of(bob)
    assert b"You accept it as" in browser.get(f"/invitation?token={invitation}").content
    answer = browser.post("/invitation", {"token": invitation})
    assert answer["Location"].startswith("/organizations/")
    assert b"alpha-org" in browser.get(answer["Location"]).content
    assert User.objects.filter(email="bob@people.example").count() == 1


def test_a_provider_that_is_not_there_is_said_on_the_page(cloud: Cloud) -> None:
    browser = Client()
    assert browser.get("/sign-in/openid/nobody")["Location"] == "/sign-in"
    assert b"There is no OpenID provider" in browser.get("/sign-in").content


@pytest.mark.parametrize("cookie", ["", "provider=staff&binding=x"])
def test_a_sign_in_that_was_not_begun_here_is_not_completed(cloud: Cloud, cookie: str) -> None:
    browser = Client()
    browser.cookies["andromede_openid"] = cookie
    answer = browser.get("/signed-in?state=s&code=c")
    assert answer["Location"] == "/sign-in"
    assert "andromede_session" not in answer.cookies
