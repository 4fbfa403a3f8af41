"""How many requests a caller may make."""

import logging
import re
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from pytest_django import Settings

from controlplane.identity.models import ApiToken
from tests.api.client import Answer, Caller
from tests.world import make_tenant

LAN = {"name": "lan", "cidr": "10.20.0.0/24"}


@pytest.fixture
def name() -> str:
    """Of a tenant, and so of a token, whose counts are new."""
    return f"t{uuid4().hex[:12]}"


@pytest.fixture
def caller(db: None, name: str, settings: Settings) -> Caller:
    settings.RATE_READS_PER_MIN, settings.RATE_WRITES_PER_MIN, settings.RATE_ANONYMOUS_PER_MIN = 5, 2, 3
    make_tenant(name)
    return Caller(token=name, project=name, http=Client(REMOTE_ADDR=address()))


def address() -> str:
    """One that nobody has called from."""
    return ":".join(["2001", "db8", *re.findall("....", uuid4().hex[:8]), "0", "0", "0", "1"])


def told(answer: Answer) -> tuple[str, int, int]:
    policy = re.fullmatch(r'"(\w+)";q=(\d+);w=60', answer.headers["RateLimit-Policy"])
    assert policy is not None
    assert policy[2] == answer.headers["RateLimit-Limit"]
    assert 0 <= int(answer.headers["RateLimit-Reset"]) <= 60
    return policy[1], int(policy[2]), int(answer.headers["RateLimit-Remaining"])


def test_reads_and_writes_are_counted_apart(caller: Caller, name: str) -> None:
    for left in (4, 3, 2, 1, 0):
        assert told(caller.get("networks")) == ("reads", 5, left)
    refused = caller.get("networks")
    assert refused.problem[:2] == (429, "too_many_requests")
    assert refused.body["retryable"]
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert told(refused) == ("reads", 5, 0)
    for left in (1, 0):
        assert told(caller.post("networks", LAN)) == ("writes", 2, left)
    assert caller.post("networks", LAN).status == 429


def test_it_is_said_in_french(caller: Caller, name: str) -> None:
    caller.language = "fr"
    for _ in range(5):
        assert caller.get("networks").status == 200
    assert caller.get("networks").body["title"] == "Trop de requêtes"


def test_each_credential_has_its_own(caller: Caller, name: str) -> None:
    for _ in range(5):
        assert caller.get("networks").status == 200
    make_tenant(f"{name}-b")
    other = Caller(token=f"{name}-b", project=f"{name}-b", http=caller.http)
    assert told(other.get("networks")) == ("reads", 5, 4)


def test_whoever_guesses_is_soon_not_heard_and_others_there_are(caller: Caller, name: str) -> None:
    assert caller.get("networks").status == 200
    for guess in ("a", "b", "c"):
        assert Caller(token=f"{name}-{guess}", http=caller.http).get("/v1/projects").status == 401
    for token in (f"{name}-d", None):
        refused = Caller(token=token, http=caller.http).get("/v1/projects")
        assert (refused.status, told(refused)) == (429, ("address", 3, 0))
    assert caller.get("networks").status == 200
    elsewhere = Caller(token=f"{name}-d", http=Client(REMOTE_ADDR=address()))
    assert elsewhere.get("/v1/projects").status == 401


def test_a_credential_that_was_good_is_not_for_ever(caller: Caller, name: str) -> None:
    assert caller.get("networks").status == 200
    ApiToken.objects.all().delete()
    assert [caller.get("networks").status for _ in range(6)] == [401, 401, 401, 401, 429, 429]


def test_an_address_is_that_which_the_proxy_says(caller: Caller, settings: Settings) -> None:
    settings.TRUSTED_PROXIES = [caller.http.defaults["REMOTE_ADDR"]]
    callers = [(address(), 2), (address(), 2)]
    for theirs, left in callers:
        headers: dict[str, Any] = {"X_Forwarded_For": f"198.51.100.1, {theirs}"}
        assert told(Caller(token=None, http=caller.http).get("/v1/healthz", **headers)) == ("address", 3, left)
    settings.TRUSTED_PROXIES = []
    assert told(Caller(token=None, http=caller.http).get("/v1/healthz", **headers))[2] == 2
    assert told(Caller(token=None, http=caller.http).get("/v1/healthz"))[2] == 1


def test_without_redis_all_pass(
    caller: Caller, settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings.REDIS_URL = f"redis+socket://{tmp_path}/nobody.sock"
    with caplog.at_level(logging.WARNING, logger="controlplane.api.limits"):
        answers = [caller.get("networks") for _ in range(8)]
    assert {answer.status for answer in answers} == {200}
    assert not any("RateLimit-Limit" in answer.headers for answer in answers)
    assert len([record for record in caplog.records if record.name == "controlplane.api.limits"]) == 1


def test_zero_is_any_number(caller: Caller, settings: Settings) -> None:
    settings.RATE_READS_PER_MIN = 0
    assert {caller.get("networks").status for _ in range(8)} == {200}
