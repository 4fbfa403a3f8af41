"""One's own account: who one is, what one proves it with, where one is signed in, and tokens."""

import json
import re
from datetime import timedelta

import pytest
from django.test import Client
from pytest_django import Settings

from controlplane.identity.models import ApiToken
from controlplane.identity.services import user_create
from controlplane.kernel import clock
from controlplane.signin import passwords
from controlplane.signin.models import Passkey, Session, Totp
from tests.api.authenticator import Authenticator
from tests.api.user_accounts import code
from tests.dashboard.conftest import SignIn, browser_of
from tests.world import Cloud

ORIGIN = "https://console.example"
PASSWORD = "three small green doors"


@pytest.fixture
def newcomer(cloud: Cloud) -> Client:
    """An operator at the first sign-in: the session is good for nothing but to enrol a factor."""
    user = user_create(email="new@people.example", is_operator=True)
    passwords.put(user, PASSWORD)
    browser = browser_of(user)
    Session.objects.update(is_two_factor=False, methods=["password"])
    return browser


def secret_on(page: bytes) -> str:
    match = re.search(rb'name="secret" value="([A-Z2-7]+)"', page)
    assert match is not None
    return match[1].decode()


def enrol(browser: Client, **form: str) -> bytes:
    page = browser.post("/account/totp", form).content
    secret, uri = secret_on(page), re.search(rb'name="uri" value="([^"]+)"', page)
    assert uri is not None
    known = {"secret": secret, "uri": uri[1].decode().replace("&amp;", "&"), **form}
    wrong = browser.post("/account/totp/confirm", {**known, "code": "000000"}).content
    assert secret_on(wrong) == secret
    assert b"password or code is wrong" in wrong
    return browser.post("/account/totp/confirm", {**known, "code": code(secret)}).content


def test_first_user_enrols_when_the_sign_in_demands_it(newcomer: Client) -> None:
    page = newcomer.get("/").headers["Location"]
    assert b"Set up authenticator" in newcomer.get(page).content
    shown = enrol(newcomer, next="/account/tokens")
    assert len(re.findall(rb"\w{4}-\w{4}-\w{4}-\w{4}", shown)) == 10
    assert b'href="/account/tokens"' in shown
    assert newcomer.get("/").status_code == 200
    assert Totp.objects.filter(confirmed_at__isnull=False).count() == 1


def test_enrolment_shows_the_secret_as_qr_code_and_text(newcomer: Client) -> None:
    page = newcomer.post("/account/totp").content
    secret = secret_on(page)
    assert b"<svg" in page and b"</svg>" in page
    assert b"style=" not in page
    assert " ".join(secret[at : at + 4] for at in range(0, len(secret), 4)).encode() in page


def test_next_page_after_recovery_codes_must_be_local(newcomer: Client) -> None:
    shown = enrol(newcomer, next="https://evil.example/")
    assert b"evil.example" not in shown


def test_account_page_names_the_user(member: Client) -> None:
    page = member.get("/account").content
    assert b"member@people.example" in page and b"alpha-org" in page


def test_sessions_are_listed_and_ended(member: Client, cloud: Cloud) -> None:
    user = Session.objects.get().user
    other = browser_of(user)
    assert member.get("/account/sessions").content.count(b"current session") == 1
    ended = Session.objects.exclude(user_agent="").order_by("-created_at").first()
    assert ended is not None
    answer = member.post(f"/account/sessions/{ended.pk}/end")
    assert answer["Location"] == "/account/sessions"
    assert other.get("/")["Location"].startswith("/sign-in")
    third = browser_of(user)
    member.post("/account/sessions/end-others")
    assert third.get("/")["Location"].startswith("/sign-in")
    assert member.get("/").status_code == 200


def test_a_password_is_changed(member: Client) -> None:
    user = Session.objects.get().user
    passwords.put(user, PASSWORD)
    form = {"old_password": PASSWORD, "new_password": "four large blue windows", "repeated": "four"}
    assert b"The passwords do not match." in member.post("/account/password", form).content
    form["repeated"] = form["new_password"] = "short"
    assert b'id="id_new_password_error"' in member.post("/account/password", form).content
    form["repeated"] = form["new_password"] = "four large blue windows"
    assert member.post("/account/password", form)["Location"] == "/account/sign-in"


def test_tokens_of_sessions_are_revoked_when_ticked(member: Client) -> None:
    user = Session.objects.get().user
    passwords.put(user, PASSWORD)
    new = "four large blue windows"
    ends = {
        "/account/sessions/end-others": {},
        "/account/password": {"old_password": PASSWORD, "new_password": new, "repeated": new},
    }
    for page, form in ends.items():
        name = page.rsplit("/", 1)[1]
        member.post("/account/tokens/new", {"name": name, "lifetime_days": "9", "role": ""})
        assert b"revoke_tokens" in member.get(page).content
        assert member.post(page, {**form, "revoke_tokens": "on"}).status_code == 302
        assert ApiToken.objects.get(name=name).revoked_at is not None, page


def test_a_token_is_shown_once_and_revoked(member: Client) -> None:
    form = {"name": "ci", "lifetime_days": "9", "verbs": ["read"], "kinds": "instances, volumes", "role": ""}
    page = member.post("/account/tokens/new", form).content
    created = ApiToken.objects.get(name="ci")
    secret = re.search(rb"andromede_[\w-]{20,}", page)
    assert secret is not None
    assert (created.verbs, created.kinds) == (["read"], ["instances", "volumes"])
    page = member.get("/account/tokens").content
    assert b"ci" in page and secret[0] not in page
    member.post(f"/account/tokens/{created.pk}/revoke")
    assert b"No API token yet" in member.get("/account/tokens").content


@pytest.mark.parametrize(("role", "follows_owner"), [("", True), ("viewer", False)])
def test_token_without_a_role_follows_its_owner(member: Client, role: str, follows_owner: bool) -> None:
    page = member.post("/account/tokens/new", {"name": "ci", "lifetime_days": "9", "role": role}).content
    assert ApiToken.objects.get(name="ci").role == role
    assert (b"the token also gains roles that its owner receives later" in page) is follows_owner


def test_invalid_token_field_has_an_error(member: Client) -> None:
    for field, form in {"name": {"name": "No"}, "kinds": {"name": "ci", "kinds": "cars"}}.items():
        page = member.post("/account/tokens/new", {"lifetime_days": "9", **form}).content
        assert f'id="id_{field}_error"'.encode() in page
    assert not ApiToken.objects.filter(name__in=["No", "ci"]).exists()


def test_sensitive_page_demands_a_proof_and_returns(member: Client) -> None:
    user = Session.objects.get().user
    passwords.put(user, PASSWORD)
    Session.objects.update(proved_at=clock.now() - timedelta(hours=1))
    answer = member.post("/account/totp", {"next": "/account/sign-in"})
    assert answer["Location"] == "/sign-in/prove?next=%2Faccount%2Fsign-in"
    page = member.get(answer["Location"]).content
    assert b'name="password"' in page and b'name="code"' not in page
    answer = member.post("/sign-in/prove", {"password": PASSWORD, "next": "/account/sign-in"})
    assert answer["Location"] == "/account/sign-in"
    assert b"<svg" in member.post("/account/totp").content


def test_a_passkey_is_registered_signs_in_and_is_removed(newcomer: Client, settings: Settings) -> None:
    settings.PASSKEY_ORIGINS = [ORIGIN]
    device = Authenticator()
    challenge = newcomer.post("/account/passkeys/challenge").json()
    form = {"ceremony": challenge["ceremony"], "credential": as_text(device.create(challenge["options"]))}
    answer = newcomer.post("/account/passkeys", {**form, "name": "my ring", "next": "/account"})
    assert answer["Location"] == "/account"
    assert b"my ring" in newcomer.get("/account/sign-in").content
    browser = Client()
    challenge = browser.post("/sign-in/passkey/challenge").json()
    form = {"ceremony": challenge["ceremony"], "credential": as_text(device.get(challenge["options"]))}
    assert browser.post("/sign-in/passkey", {**form, "next": "/account"})["Location"] == "/account"
    repeated = browser.post("/sign-in/passkey", form).content
    assert b"passkey was not accepted" in repeated
    passkey = Passkey.objects.get()
    refused = browser.post(f"/account/passkeys/{passkey.pk}/remove").content  # an operator's last factor
    assert b"The form has errors." in refused


def test_passkeys_are_not_offered_when_off(cloud: Cloud, member: Client) -> None:
    assert b"data-passkey" not in Client().get("/sign-in").content
    assert Client().post("/sign-in/passkey/challenge").json()["code"] == "signin.passkeys_off"
    assert b"data-passkey" not in member.get("/account/sign-in").content


def test_passkey_challenge_needs_a_proven_session(signed_in: SignIn) -> None:
    browser = signed_in("member")
    Session.objects.update(proved_at=clock.now() - timedelta(hours=1))
    assert browser.post("/account/passkeys/challenge").json()["go"].startswith("/sign-in/prove?next=")
    assert Client().post("/account/passkeys/challenge")["Location"].startswith("/sign-in")


def as_text(credential: dict[str, object]) -> str:
    return json.dumps(credential)


def test_user_without_an_organization_has_an_account(cloud: Cloud) -> None:
    browser = browser_of(user_create(email="alone@people.example"))
    pages = ("/", "/account", "/account/sign-in", "/account/sessions", "/account/tokens", "/organizations")
    assert {page: browser.get(page).status_code for page in pages} == dict.fromkeys(pages, 200)


def test_pages_have_the_end_of_the_session(member: Client, settings: Settings) -> None:
    """The script that warns before the end reads these attributes."""
    Session.objects.update(expires_at=clock.now() + timedelta(days=1000))
    page = member.get("/account").content.decode()
    match = re.search(r'data-left-s="(\d+)" data-idle-s="(\d+)" data-extend="([^"]*)"', page)
    assert match is not None
    assert int(match[1]) // 86400 == 999
    assert int(match[2]) == (settings.SESSION_IDLE_MINUTES - 1) * 60
    before = Session.objects.get().last_used_at - timedelta(minutes=30)
    Session.objects.update(last_used_at=before)
    assert member.get(match[3]).json()["left_s"] // 86400 == 999
    assert Session.objects.get().last_used_at > before
    Session.objects.update(ended_at=clock.now())
    assert member.get(match[3]).status_code == 302
