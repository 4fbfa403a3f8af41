"""Rate limits of a caller."""

import logging
import re
from base64 import b64encode
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from pytest_django import Settings

from controlplane.api import sliding_windows
from controlplane.api.sliding_windows import Bucket, Moment, Own, Shared
from controlplane.identity.models import ApiToken, Project, User
from controlplane.identity.services import membership_set, user_create
from controlplane.identity.tokens import token_issue
from tests.api.client import Answer, Caller
from tests.world import make_tenant

LAN = {"name": "lan", "cidr": "10.20.0.0/24"}


@pytest.fixture
def name() -> str:
    """Return the name of a tenant, and so of a token, without counts."""
    return f"t{uuid4().hex[:12]}"


@pytest.fixture
def caller(db: None, name: str, settings: Settings) -> Caller:
    settings.RATE_READS_PER_MIN, settings.RATE_WRITES_PER_MIN, settings.RATE_ANONYMOUS_PER_MIN = 5, 2, 3
    make_tenant(name)
    return Caller(token=name, project=name, http=Client(REMOTE_ADDR=address()))


def address() -> str:
    """One that nobody has called from."""
    return ":".join(["2001", "db8", *re.findall("....", uuid4().hex[:8]), "0", "0", "0", "1"])


def rate_limit_of(answer: Answer) -> tuple[str, int, int]:
    policy = re.fullmatch(r'"(\w+)";q=(\d+);w=60', answer.headers["RateLimit-Policy"])
    assert policy is not None
    assert policy[2] == answer.headers["RateLimit-Limit"]
    assert 0 <= int(answer.headers["RateLimit-Reset"]) <= 60
    return policy[1], int(policy[2]), int(answer.headers["RateLimit-Remaining"])


def test_reads_and_writes_are_counted_apart(caller: Caller, name: str) -> None:
    for remaining in (4, 3, 2, 1, 0):
        assert rate_limit_of(caller.get("networks")) == ("reads", 5, remaining)
    refused = caller.get("networks")
    assert refused.problem[:2] == (429, "too_many_requests")
    assert refused.body["retryable"]
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert rate_limit_of(refused) == ("reads", 5, 0)
    for remaining in (1, 0):
        assert rate_limit_of(caller.post("networks", LAN)) == ("writes", 2, remaining)
    assert caller.post("networks", LAN).status == 429


def test_rate_limit_error_is_in_french(caller: Caller, name: str) -> None:
    caller.language = "fr"
    for _ in range(5):
        assert caller.get("networks").status == 200
    assert caller.get("networks").body["title"] == "Trop de requêtes"


def test_each_owner_has_its_own_limit(caller: Caller, name: str) -> None:
    for _ in range(5):
        assert caller.get("networks").status == 200
    make_tenant(f"{name}-b")
    other = Caller(token=f"{name}-b", project=f"{name}-b", http=caller.http)
    assert rate_limit_of(other.get("networks")) == ("reads", 5, 4)


def basic(token: str, user: str) -> str:
    return f"Basic {b64encode(f'{user}:{token}'.encode()).decode()}"


def test_basic_user_name_does_not_separate_a_token(caller: Caller, name: str) -> None:
    """HTTP Basic carries the token as its password."""
    token, caller.token = name, None
    answers = [caller.get("networks", Authorization=basic(token, f"user-{number}")) for number in range(6)]
    assert [answer.status for answer in answers] == [200] * 5 + [429]
    assert caller.get("networks", Authorization=f"Bearer {token}").status == 429
    assert caller.get("networks", Authorization=f"bearer {token}").status == 429


def test_guesses_with_other_user_names_are_counted_together(caller: Caller) -> None:
    caller.token = None
    answers = [caller.get("networks", Authorization=basic("wrong", f"user-{number}")) for number in range(4)]
    assert [answer.status for answer in answers] == [401, 401, 401, 429]
    headers = [f"Basic {'é' * 3}", "Basic !", "Bearer ", "Digest x", f"Bearer {'x' * 201}"]
    assert {caller.get("networks", Authorization=header.encode().decode("latin-1")).status for header in headers} == {
        429
    }


def test_tokens_of_one_user_share_a_limit(caller: Caller, name: str) -> None:
    user, project = User.objects.get(), Project.objects.get()
    _, secret = token_issue(user, project=project, name="second", role="member", lifetime=timedelta(days=1))
    other = Caller(token=secret, project=name, http=caller.http)
    assert [each.get("networks").status for each in (caller, other, caller, other, caller)] == [200] * 5
    assert (caller.get("networks").status, other.get("networks").status) == (429, 429)


def test_organization_has_a_limit(caller: Caller, name: str, settings: Settings) -> None:
    settings.RATE_ORGANIZATION_TIMES = 1
    project = Project.objects.get()
    other = user_create(email=f"{name}@second.example")
    membership_set(project.organization, user=other, role="member")
    _, secret = token_issue(other, project=project, name="second", role="member", lifetime=timedelta(days=1))
    second = Caller(token=secret, project=name, http=caller.http)
    assert [each.get("networks").status for each in (caller, second, caller, second, caller)] == [200] * 5
    refused = second.get("networks")
    assert (refused.status, rate_limit_of(refused)) == (429, ("organization_reads", 5, 0))
    make_tenant(f"{name}-b")
    assert Caller(token=f"{name}-b", project=f"{name}-b", http=caller.http).get("networks").status == 200


def test_address_with_wrong_credentials_is_limited_alone(caller: Caller, name: str) -> None:
    assert caller.get("networks").status == 200
    for guess in ("a", "b", "c"):
        assert Caller(token=f"{name}-{guess}", http=caller.http).get("/v1/projects").status == 401
    for token in (f"{name}-d", None):
        refused = Caller(token=token, http=caller.http).get("/v1/projects")
        assert (refused.status, rate_limit_of(refused)) == (429, ("address", 3, 0))
    assert caller.get("networks").status == 200
    elsewhere = Caller(token=f"{name}-d", http=Client(REMOTE_ADDR=address()))
    assert elsewhere.get("/v1/projects").status == 401


def test_revoked_credential_is_limited_like_a_guess(caller: Caller, name: str) -> None:
    assert caller.get("networks").status == 200
    ApiToken.objects.all().delete()
    assert [caller.get("networks").status for _ in range(6)] == [401, 401, 401, 401, 429, 429]


def test_address_is_the_one_that_the_proxy_reports(caller: Caller, settings: Settings) -> None:
    settings.TRUSTED_PROXIES = [caller.http.defaults["REMOTE_ADDR"]]
    callers = [(address(), 2), (address(), 2)]
    for theirs, remaining in callers:
        headers: dict[str, Any] = {"X_Forwarded_For": f"198.51.100.1, {theirs}"}
        assert rate_limit_of(Caller(token=None, http=caller.http).get("/v1/healthz", **headers)) == (
            "address",
            3,
            remaining,
        )
    settings.TRUSTED_PROXIES = []
    assert rate_limit_of(Caller(token=None, http=caller.http).get("/v1/healthz", **headers))[2] == 2
    assert rate_limit_of(Caller(token=None, http=caller.http).get("/v1/healthz"))[2] == 1


def test_process_counts_for_itself_without_redis(
    caller: Caller, settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings.REDIS_URL = f"redis+socket://{tmp_path}/nobody.sock"
    with caplog.at_level(logging.WARNING, logger="controlplane.api.sliding_windows"):
        answers = [caller.get("networks") for _ in range(6)]
    assert [rate_limit_of(answer) for answer in answers] == [
        ("reads", 5, remaining) for remaining in (4, 3, 2, 1, 0, 0)
    ]
    assert [answer.status for answer in answers] == [200] * 5 + [429]
    assert len([record for record in caplog.records if record.name == "controlplane.api.sliding_windows"]) == 1


@pytest.mark.parametrize("store", [Shared(), Own()])
def test_window_slides_over_the_previous_minute(store: Shared | Own, name: str) -> None:
    """A request of the minute before counts as much as of that minute is in the window; and in no other."""
    two, many = Bucket("reads", name, 2), Bucket("organization_reads", name, 100)
    assert store.count([two, many], Moment(7, 1.0), is_taken=True) == (True, [1, 0, 1, 0])
    assert store.count([two, many], Moment(7, 0.9), is_taken=False) == (True, [1, 0, 1, 0])
    assert store.count([two, many], Moment(7, 0.5), is_taken=True) == (True, [2, 0, 2, 0])
    assert store.count([two, many], Moment(7, 0.1), is_taken=True) == (False, [2, 0, 2, 0]), "and none of the others"
    assert store.count([two, many], Moment(8, 1.0), is_taken=True) == (False, [0, 2, 0, 2])
    assert store.count([two, many], Moment(8, 0.5), is_taken=True) == (True, [1, 2, 1, 2])
    assert store.count([two, many], Moment(8, 0.5), is_taken=True) == (False, [1, 2, 1, 2])
    assert store.count([two, many], Moment(10, 1.0), is_taken=False) == (True, [0, 0, 0, 0])


def test_counters_of_a_process_have_a_maximum(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sliding_windows, "OWN_MAX", 3)
    own, now = Own(), Moment(7, 1.0)
    for owner in ("a", "b", "c", "a", "d"):
        own.count([Bucket("reads", owner, 9)], now, is_taken=True)
    assert own.count([Bucket("reads", "a", 9)], now, is_taken=False)[1] == [2, 0]
    assert own.count([Bucket("reads", "b", 9)], now, is_taken=False)[1] == [0, 0]


def test_zero_disables_the_limit(caller: Caller, settings: Settings) -> None:
    settings.RATE_READS_PER_MIN = 0
    assert {caller.get("networks").status for _ in range(8)} == {200}
