"""Dashboard over the API's own test cloud: the whole product without workers, in one process."""

from collections.abc import Callable

import pytest
from django.test import Client

from controlplane.dashboard import base_views, cookies
from controlplane.identity.models import User
from controlplane.identity.services import membership_set, user_create
from controlplane.signin import sessions
from controlplane.signin.client_info import ClientInfo
from tests import cloud_fixtures
from tests.world import Cloud

broker, cloud = cloud_fixtures.broker, cloud_fixtures.cloud

SignIn = Callable[[str], Client]
DUTIES = ("operator", "auditor", "support")


@pytest.fixture(autouse=True)
def no_notices_of_other_tests() -> None:
    base_views.notices.clear()


@pytest.fixture
def signed_in(cloud: Cloud) -> SignIn:
    """Return the browser of a new user who has signed in with two factors.

    The user has a role in alpha's organization, or a platform role.
    """

    def sign_in(role: str) -> Client:
        email = f"{role.replace('_', '-')}@people.example"
        is_duty = role in DUTIES
        user = user_create(email=email, **({f"is_{role}": True} if is_duty else {}))
        if not is_duty:
            membership_set(cloud.tenant.project.organization, user=user, role=role)
        return browser_of(user)

    return sign_in


@pytest.fixture
def member(signed_in: SignIn) -> Client:
    return signed_in("member")


@pytest.fixture
def home(cloud: Cloud) -> str:
    """Return the address of the project alpha, below which its pages are."""
    return f"/projects/{cloud.tenant.project.pk}"


def browser_of(user: User) -> Client:
    origin = ClientInfo(request_id="", address="127.0.0.1", user_agent="tests")
    _, secret = sessions.create_session(user, origin, [sessions.PASSWORD, "totp"], is_two_factor=True)
    browser = Client()
    browser.cookies[cookies.SESSION] = secret
    return browser
