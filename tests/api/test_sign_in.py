"""Passwords and sessions."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from controlplane.audit.models import AuditEntry, RequestRecord
from controlplane.identity.actor import SYSTEM
from controlplane.identity.models import User
from controlplane.identity.services import organization_create, project_create, user_create
from controlplane.kernel import clock
from controlplane.signin import lockout, passwords, secret_tokens
from controlplane.signin.client_info import ClientInfo
from controlplane.signin.credentials import password_link_create
from controlplane.signin.models import FailureCount, Password, PasswordLink, Session
from controlplane.signin.sessions import create_session, purge
from tests.api import user_accounts
from tests.api.client import Caller
from tests.api.user_accounts import PASSWORD, Person, make_person
from tests.cases import in_one_cloud

pytestmark = pytest.mark.django_db
OTHER = "four large blue windows"


@pytest.fixture(autouse=True)
def quick(settings: Settings) -> None:
    settings.PASSWORD_HASHERS = [user_accounts.QUICK]


@pytest.fixture
def as_shipped(quick: None, settings: Settings) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
    passwords._nobodys.cache_clear()


@pytest.fixture
def ada(db: None) -> Person:
    """A member of acme, which has the project web."""
    acme = organization_create(name="acme")
    project_create(acme, name="web")
    return make_person("ada", organization=acme)


@pytest.fixture
def operator(db: None, settings: Settings) -> Caller:
    settings.SECOND_FACTOR_DUTIES = []
    otto = make_person("otto", is_operator=True)
    return Caller(token=create_session(otto.user, ClientInfo(), ["password", "totp"], is_two_factor=True)[1])


def verbs() -> list[str]:
    return [*AuditEntry.objects.order_by("pk").values_list("verb", flat=True)]


def test_a_password_gives_a_session_that_works_as_a_bearer(ada: Person) -> None:
    ada.anybody.http.defaults |= {"REMOTE_ADDR": "198.51.100.7"}
    answer = ada.anybody.post(
        "/v1/sessions", {"email": ada.user.email, "password": PASSWORD}, User_Agent="Firefox \u2028on Linux"
    )
    assert (answer.status, answer.headers["Cache-Control"]) == (201, "no-store")
    body = answer.body
    assert (body["address"], body["user_agent"], body["methods"]) == ("198.51.100.7", "Firefox on Linux", ["password"])
    assert (body["is_two_factor"], body["needs_second_factor"]) == (False, False)
    caller = Caller(token=body["secret"])
    assert [each["name"] for each in caller.get("/v1/projects").body["items"]] == ["web"]
    assert caller.get(answer.headers["Location"]).body == caller.get("/v1/sessions/current").body
    assert body["secret"] not in caller.get("/v1/sessions").text
    assert verbs()[-1] == "session.create"


def test_only_a_hash_of_the_secret_is_stored(ada: Person) -> None:
    token = ada.sign_in().body["secret"]
    assert token.startswith("andromede_session_")
    session = Session.objects.values().get()
    assert session.pop("sha256") == secret_tokens.digest(token)
    assert token not in str(session) + str(list(AuditEntry.objects.values()))


@pytest.mark.parametrize("email", ["ada@people.example", "ADA@people.example"])
def test_the_case_of_an_address_does_not_matter(ada: Person, email: str) -> None:
    assert ada.anybody.post("/v1/sessions", {"email": email, "password": PASSWORD}).status == 201


def test_case_decides_between_accounts_of_equal_address(ada: Person) -> None:
    passwords.put(user_create(email="ADA@people.example"), OTHER)
    for email, password, status in (
        ("ADA@people.example", PASSWORD, 401),
        ("ADA@people.example", OTHER, 201),
        ("ada@people.example", PASSWORD, 201),
        ("Ada@people.example", PASSWORD, 401),
    ):
        assert ada.anybody.post("/v1/sessions", {"email": email, "password": password}).status == status


def test_sign_in_does_not_reveal_accounts(ada: Person) -> None:
    user_create(email="new@people.example")
    answers = []
    for email in (ada.user.email, "new@people.example", "nobody@people.example"):
        answer = ada.anybody.post("/v1/sessions", {"email": email, "password": "wrong"}, X_Request_Id="the-same-one")
        answers.append((answer.status, answer.headers, answer.body))
    assert answers[0] == answers[1] == answers[2]
    assert answers[0][2]["code"] == "signin.refused"


def test_unknown_account_takes_as_much_work(as_shipped: None, ada: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted where the work is: in the library."""
    passwords.is_right(None, "x")
    done = []
    verify = Argon2PasswordHasher.verify
    monkeypatch.setattr(Argon2PasswordHasher, "verify", lambda self, *a: done.append(a[1][:30]) or verify(self, *a))
    for user in (ada.user, user_create(email="new@people.example"), None):
        assert not passwords.is_right(user, "wrong")
    assert len(done) == 3
    assert len(set(done)) == 1, "with the same parameters"


def test_outdated_password_hash_is_replaced(as_shipped: None, ada: Person) -> None:
    class Weaker(Argon2PasswordHasher):
        time_cost = 1
        memory_cost = 1024

    Password.objects.update(encoded=Weaker().encode(PASSWORD, "saltsaltsaltsalt"))
    assert ada.sign_in().status == 201
    assert f"m={Argon2PasswordHasher.memory_cost},t={Argon2PasswordHasher.time_cost}," in Password.objects.get().encoded
    assert ada.sign_in().status == 201


def test_unicode_composition_of_a_password_does_not_matter(ada: Person) -> None:
    passwords.put(ada.user, "caf\u00e9 d\u2019été à Paris")
    assert ada.sign_in(password="cafe\u0301 d\u2019e\u0301te\u0301 a\u0300 Paris").status == 201


# --- lock-out


def fail(person: Person, times: int, *, address: str = "127.0.0.1", email: str | None = None) -> list[int]:
    person.anybody.http.defaults["REMOTE_ADDR"] = address
    body = {"email": email or person.user.email, "password": "wrong"}
    return [person.anybody.post("/v1/sessions", body).status for _ in range(times)]


@pytest.mark.parametrize("email", ["ada@people.example", "nobody@people.example"])
def test_failures_lock_an_account_for_the_address(ada: Person, email: str) -> None:
    assert fail(ada, 6, email=email) == [401] * 5 + [403]
    answer = ada.anybody.post("/v1/sessions", {"email": email, "password": PASSWORD})
    assert answer.problem == (403, "signin.locked", None)
    until = clock.now() + timedelta(minutes=15)
    assert f"{until:%Y-%m-%d %H:}" in answer.body["facts"]["until"] or until.minute == 0
    ada.anybody.language = "fr"
    assert "jusqu’au" in ada.anybody.post("/v1/sessions", {"email": email, "password": PASSWORD}).body["detail"]

    FailureCount.objects.update(last_at=F("last_at") - timedelta(minutes=16))
    expected = 201 if email == ada.user.email else 401
    assert ada.anybody.post("/v1/sessions", {"email": email, "password": PASSWORD}).status == expected


def test_further_attempts_do_not_extend_a_lock(ada: Person) -> None:
    fail(ada, 5)
    before = FailureCount.objects.values_list("last_at", "failures").get()
    fail(ada, 3)
    assert FailureCount.objects.values_list("last_at", "failures").get() == before


def test_failures_from_many_addresses_lock_an_account(ada: Person) -> None:
    assert fail(ada, 5, address="198.51.100.1") == [401] * 5
    ada.anybody.http.defaults["REMOTE_ADDR"] = "198.51.100.2"
    assert ada.sign_in().status == 201
    for last in range(3, 6):
        fail(ada, 5, address=f"198.51.100.{last}")
    ada.anybody.http.defaults["REMOTE_ADDR"] = "198.51.100.99"
    assert ada.sign_in().problem[:2] == (403, "signin.locked")


def test_an_address_that_tries_many_accounts_is_locked(ada: Person) -> None:
    for number in range(20):
        assert fail(ada, 1, email=f"user{number}@people.example") == [401]
    assert ada.sign_in().problem[:2] == (403, "signin.locked")
    ada.anybody.http.defaults["REMOTE_ADDR"] = "198.51.100.2"
    assert ada.sign_in().status == 201


def test_ipv6_network_counts_as_one_address(ada: Person) -> None:
    for last in range(5):
        assert fail(ada, 1, address=f"2001:db8::{last}") == [401]
    assert fail(ada, 1, address="2001:db8::99") == [403]
    assert fail(ada, 1, address="2001:db8:0:1::1") == [401]


def test_expired_failures_are_deleted(ada: Person) -> None:
    fail(ada, 2)
    purge()
    assert FailureCount.objects.exists()
    FailureCount.objects.update(last_at=F("last_at") - timedelta(minutes=16))
    purge()
    assert not FailureCount.objects.exists()


def test_a_failure_deletes_the_expired_counts_of_all_accounts(ada: Person) -> None:
    fail(ada, 2, email="nobody@people.example")
    FailureCount.objects.update(last_at=F("last_at") - timedelta(minutes=16))
    fail(ada, 1)
    assert [*FailureCount.objects.values_list("account", "failures")] == [(ada.user.email, 1)]


def test_failures_are_one_row_for_each_account_and_address(ada: Person) -> None:
    for number in range(4):
        ada.anybody.http.defaults["HTTP_USER_AGENT"] = f"browser/{number}"
        fail(ada, 1)
    assert FailureCount.objects.get().failures == 4


def test_an_account_takes_the_same_statements_whether_it_exists_or_not(ada: Person) -> None:
    numbers = set()
    for email in (ada.user.email, "nobody@people.example"):
        with CaptureQueriesContext(connection) as queries:
            lockout.check(ClientInfo("127.0.0.1"), lockout.account_of(email))
            lockout.record_failure(ClientInfo("127.0.0.1"), lockout.account_of(email))
        numbers.add(len(queries))
    assert len(numbers) == 1


def test_clients_of_a_unix_socket_lock_an_account_for_themselves(ada: Person) -> None:
    account = lockout.account_of(ada.user.email)
    for _ in range(5):
        lockout.record_failure(ClientInfo(), account)
    assert lockout.locked_until(ClientInfo(), account) is not None
    assert lockout.locked_until(ClientInfo(), "nobody@people.example") is None
    assert lockout.locked_until(ClientInfo("127.0.0.1"), account) is None


def test_successful_sign_in_resets_the_failures(ada: Person) -> None:
    for _ in range(3):
        fail(ada, 4)
        assert ada.sign_in().status == 201


def test_failures_are_kept_although_the_request_failed_and_hold_no_password(ada: Person) -> None:
    fail(ada, 2)
    stored = str(FailureCount.objects.values().get())
    assert "wrong" not in stored
    refused = AuditEntry.objects.filter(verb="session.refuse")
    assert [(each.resource_id, each.facts) for each in refused] == [(ada.user.pk, {"address": "127.0.0.1"})] * 2


@pytest.mark.parametrize(
    ("proxies", "header", "address"),
    [
        ([], "203.0.113.9", "127.0.0.1"),
        (["127.0.0.1"], "6.6.6.6, 203.0.113.9", "203.0.113.9"),
        (["127.0.0.1", "10.0.0.0/8"], "6.6.6.6, 203.0.113.9, 10.0.0.1", "203.0.113.9"),
        (["127.0.0.1"], "not an address", "127.0.0.1"),
    ],
)
def test_only_trusted_proxies_set_the_address(
    ada: Person, settings: Settings, proxies: list[str], header: str, address: str
) -> None:
    settings.TRUSTED_PROXIES = proxies
    body = {"email": ada.user.email, "password": PASSWORD}
    assert ada.anybody.post("/v1/sessions", body, X_Forwarded_For=header).body["address"] == address


# --- the life of a session


@pytest.mark.parametrize(
    "change",
    [
        {"expires_at": clock.now() - timedelta(seconds=1)},
        {"last_used_at": clock.now() - timedelta(minutes=61)},
        {"ended_at": clock.now()},
    ],
)
def test_ended_session_is_refused(ada: Person, change: dict[str, Any]) -> None:
    caller = ada.signed_in()
    Session.objects.update(**change)
    assert caller.get("/v1/sessions").problem == (401, "unauthenticated", None)
    assert purge() == 1
    assert not Session.objects.exists()


def test_use_extends_a_session(ada: Person) -> None:
    caller = ada.signed_in()
    Session.objects.update(last_used_at=clock.now() - timedelta(minutes=50))
    assert caller.get("/v1/sessions/current").status == 200
    assert clock.now() - Session.objects.get().last_used_at < timedelta(minutes=1)
    assert purge() == 0


def test_user_lists_and_ends_own_sessions(ada: Person) -> None:
    first, second, third = (ada.signed_in() for _ in range(3))
    listed = second.get("/v1/sessions").body["items"]
    assert [each["is_current"] for each in listed] == [False, True, False]
    for _ in range(2):
        assert second.delete(f"/v1/sessions/{listed[0]['id']}").status == 204
    assert third.get("/v1/sessions").status == 401
    assert second.post("/v1/sessions/actions/end-others").status == 204
    assert first.get("/v1/sessions").status == 401
    assert len(second.get("/v1/sessions").body["items"]) == 1
    assert second.delete("/v1/sessions/current").status == 204
    assert second.get("/v1/sessions").status == 401
    assert verbs()[-3:] == ["session.end", "session.end_all", "session.end"]


def test_sessions_of_others_are_hidden_from_owners(ada: Person, settings: Settings) -> None:
    settings.SECOND_FACTOR_DUTIES = []
    organization = ada.user.membership_set.get().organization
    owner = make_person("olga", organization=organization, role="owner").signed_in()
    session = ada.sign_in().body["id"]
    assert len(owner.get("/v1/sessions").body["items"]) == 1
    for call in (owner.get, owner.delete):
        assert call(f"/v1/sessions/{session}").problem == (404, "signin.session.not_found", None)
    assert owner.delete(f"/v1/users/{ada.user.pk}/sessions").problem == (403, "identity.role_needed", None)
    assert Session.objects.filter(user=ada.user, ended_at=None).exists()


def test_operator_ends_the_sessions_of_a_user(ada: Person, operator: Caller) -> None:
    callers = [ada.signed_in(), ada.signed_in()]
    assert operator.delete(f"/v1/users/{ada.user.pk}/sessions").status == 204
    assert [each.get("/v1/sessions").status for each in callers] == [401, 401]
    assert operator.get("/v1/sessions").status == 200
    assert operator.delete("/v1/users/nobody/sessions").problem == (404, "signin.user.not_found", None)


def test_a_token_is_no_session(db: None) -> None:
    from tests.world import make_tenant

    make_tenant()
    caller = Caller(token="alpha")
    for method, path in (("GET", "/v1/sessions"), ("GET", "/v1/sign-in-methods"), ("POST", "/v1/totp")):
        assert caller.call(method, path, {}).problem == (403, "signin.session_needed", None)


def test_removed_member_loses_the_rights_of_the_session(ada: Person) -> None:
    caller = ada.signed_in()
    ada.user.membership_set.all().delete()
    assert caller.get("/v1/projects").problem == (403, "identity.role_needed", None)


# --- passwords change


def test_a_new_password_ends_the_other_sessions(ada: Person) -> None:
    here, elsewhere = ada.signed_in(), ada.signed_in()
    body = {"old_password": PASSWORD, "new_password": OTHER}
    assert here.post("/v1/password/actions/change", body).status == 204
    assert (here.get("/v1/sessions").status, elsewhere.get("/v1/sessions").status) == (200, 401)
    assert (ada.sign_in().status, ada.sign_in(password=OTHER).status) == (401, 201)


def test_a_stolen_session_guesses_no_passwords(ada: Person) -> None:
    caller = ada.signed_in()
    body = {"old_password": "wrong", "new_password": OTHER}
    statuses = [caller.post("/v1/password/actions/change", body).problem[1] for _ in range(6)]
    assert statuses == ["signin.wrong_proof"] * 5 + ["signin.locked"]


@in_one_cloud(
    ("password", "reason"),
    [
        ("short", "12 characters"),
        ("abababababababab", "repeats"),
        ("ada@people.example1", "your address"),
        ("telechargement", "common password"),
    ],
)
def test_guessable_password_is_refused(ada: Person, password: str, reason: str) -> None:
    body = {"old_password": PASSWORD, "new_password": password}
    answer = ada.signed_in().post("/v1/password/actions/change", body)
    assert answer.problem == (422, "signin.password_refused", "/new_password")
    assert reason in answer.body["detail"]
    assert password not in answer.text
    assert ada.sign_in().status == 201


def test_a_link_gives_a_first_password_once(operator: Caller) -> None:
    user = user_create(email="new@people.example")
    answer = operator.post(f"/v1/users/{user.pk}/password-links")
    assert answer.status == 201
    person, link = Person(user), answer.body["secret"]
    refused = person.anybody.post("/v1/password/actions/set", {"secret": link, "new_password": "short"})
    assert refused.problem == (422, "signin.password_refused", "/new_password")
    body = {"secret": link, "new_password": OTHER}
    assert [person.anybody.post("/v1/password/actions/set", body).status for _ in range(2)] == [204, 401]
    assert person.sign_in(password=OTHER).status == 201
    assert link not in str(list(AuditEntry.objects.values()))


def test_password_links_expire(ada: Person) -> None:
    anybody, before = ada.anybody, ada.signed_in()
    first, second = (password_link_create(SYSTEM, ada.user)[0] for _ in range(2))
    body = {"secret": first, "new_password": OTHER}
    assert anybody.post("/v1/password/actions/set", body).problem == (401, "signin.link_refused", None)
    PasswordLink.objects.update(expires_at=clock.now())
    assert anybody.post("/v1/password/actions/set", body | {"secret": second}).status == 401
    purge()
    assert not PasswordLink.objects.exists()
    third, _ = password_link_create(SYSTEM, ada.user)
    assert anybody.post("/v1/password/actions/set", body | {"secret": third}).status == 204
    assert before.get("/v1/sessions").status == 401, "a new password ends what was begun with the old one"


def test_member_cannot_create_a_password_link(ada: Person) -> None:
    caller = ada.signed_in()
    assert caller.post(f"/v1/users/{ada.user.pk}/password-links").problem == (403, "identity.role_needed", None)
    assert not PasswordLink.objects.exists()
    assert User.objects.count() == 1


def test_sign_in_attempts_are_in_the_request_log(ada: Person) -> None:
    fail(ada, 1)
    fail(ada, 1, email="nobody@people.example")
    session = ada.sign_in().body["id"]
    records = RequestRecord.objects.filter(verb="session_create", user_id=ada.user.pk).order_by("pk")
    assert [(each.status, str(each.credential_id or "")) for each in records] == [(401, ""), (201, session)]
