"""Pages about people and tokens for the platform, for operators and auditors."""

from datetime import timedelta

import pytest
from django.test import Client

from controlplane.identity.models import ApiToken, User
from controlplane.identity.services import token_issue, user_create
from controlplane.signin.models import Session
from tests.dashboard.conftest import SignIn
from tests.world import Cloud

PAGES = "/platform/users"


@pytest.fixture
def operator(signed_in: SignIn) -> Client:
    return signed_in("operator")


@pytest.fixture
def otto(cloud: Cloud) -> User:
    return user_create(email="otto@cloud.example", is_operator=True)


@pytest.mark.parametrize(("duty", "status"), [("operator", 200), ("auditor", 200), ("support", 403), ("member", 403)])
def test_pages_are_visible_to_their_roles(duty: str, status: int, signed_in: SignIn, otto: User) -> None:
    browser = signed_in(duty)
    for page in (PAGES, f"{PAGES}/{otto.pk}", "/platform/tokens"):
        assert browser.get(page).status_code == status, page
    assert (f'href="{PAGES}"' in browser.get("/account").content.decode()) is (status == 200)


def test_user_is_suspended_reinstated_and_ended(operator: Client, otto: User) -> None:
    page = f"{PAGES}/{otto.pk}"
    assert b"otto@cloud.example" in operator.get(f"{PAGES}?duty=operator").content
    assert b"otto@cloud.example" not in operator.get(f"{PAGES}?state=suspended").content
    assert operator.post(f"{page}/suspend", {"reason": "theft"})["Location"] == page
    assert User.objects.get(pk=otto.pk).state == "suspended"
    assert b"Reinstate" in operator.get(page).content
    assert operator.post(f"{page}/reinstate")["Location"] == page
    assert operator.post(f"{page}/duty")["Location"] == page
    assert User.objects.get(pk=otto.pk).platform_role == ""
    assert b"otto@cloud.example" in operator.get(f"{page}/end").content
    assert operator.post(f"{page}/end")["Location"] == page
    assert User.objects.get(pk=otto.pk).state == "ended"


def test_last_operator_cannot_give_up_the_role(operator: Client, cloud: Cloud) -> None:
    own = User.objects.get(pk=Session.objects.get().user_id)
    page = f"{PAGES}/{own.pk}"
    assert "is the last operator" in operator.get(page).content.decode()
    assert "is the last operator" in operator.post(f"{page}/duty").content.decode()
    assert User.objects.get(pk=own.pk).platform_role == "operator"


def test_auditor_gives_up_the_own_role(signed_in: SignIn, otto: User) -> None:
    auditor = signed_in("auditor")
    own = User.objects.get(is_auditor=True)
    assert b"Remove platform role" not in auditor.get(f"{PAGES}/{otto.pk}").content
    assert b"Remove platform role" in auditor.get(f"{PAGES}/{own.pk}").content
    assert auditor.post(f"{PAGES}/{own.pk}/duty")["Location"] == "/"
    assert User.objects.get(pk=own.pk).platform_role == ""


def test_platform_token_is_revoked(operator: Client, otto: User) -> None:
    token, _ = token_issue(otto, project=None, name="racks", role="", lifetime=timedelta(days=1))
    assert b"racks" in operator.get("/platform/tokens").content
    assert operator.post(f"/platform/tokens/{token.pk}/revoke")["Location"] == "/platform/tokens"
    assert ApiToken.objects.get(pk=token.pk).revoked_at is not None
    assert b"racks" not in operator.get("/platform/tokens").content
