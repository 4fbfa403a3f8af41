"""The page of a console, and what its script is told."""

import pytest
from django.test import Client

from controlplane.dashboard import cookies
from controlplane.signin.models import Session
from tests.dashboard.conftest import SignIn


@pytest.fixture
def instance(member: Client, home: str) -> str:
    """The address of an instance that is still being built."""
    form = {"name": "web", "image": "tiny", "flavor": "tiny"}
    created = member.post(f"/v1{home}/instances", form, content_type="application/json", headers=bearer(member))
    return f"{home}/instances/{created.json()['id']}"


def bearer(browser: Client) -> dict[str, str]:
    return {"Authorization": f"Bearer {browser.cookies[cookies.SESSION].value}"}


def test_only_the_console_page_allows_inline_styles(member: Client, instance: str) -> None:
    console = member.get(f"{instance}/console")
    assert "style-src 'self' 'unsafe-inline'" in console["Content-Security-Policy"]
    assert b'data-kind="serial"' in console.content
    assert b'data-kind="vnc"' in member.get(f"{instance}/console?kind=vnc").content
    assert "unsafe" not in member.get(instance)["Content-Security-Policy"]


def test_script_receives_the_reason_without_a_console(member: Client, instance: str) -> None:
    answer = member.post(f"{instance}/console/ticket", {"kind": "serial"})
    assert (answer.status_code, answer.json()["code"]) == (409, "placement.no_allocation")


def test_script_is_sent_to_the_sign_in_after_the_session(member: Client, instance: str) -> None:
    Session.objects.all().delete()
    answer = member.post(f"{instance}/console/ticket", {"kind": "serial"})
    assert answer.status_code == 200
    assert answer.json()["go"].startswith("/sign-in?next=")


def test_viewer_cannot_open_the_screen(signed_in: SignIn, instance: str) -> None:
    answer = signed_in("viewer").post(f"{instance}/console/ticket", {"kind": "vnc"})
    assert (answer.status_code, answer.json()["code"]) == (403, "identity.role_needed")
