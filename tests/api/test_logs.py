"""Log lines of requests: their id, and no secret."""

from typing import Any

import pytest
from pytest_django import Settings

from tests.api import user_accounts
from tests.api.client import Caller
from tests.api.user_accounts import PASSWORD, make_person
from tests.logs import written


def explode(*args: Any) -> None:
    raise RuntimeError("a bug")


def test_a_failure_is_logged_under_the_id_that_its_caller_knows(
    unbroken: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controlplane.compute.selectors.instances", explode)
    with written() as log:
        assert unbroken.get("instances", X_Request_Id="find-me-again").status == 500
    lines = [*log.of("controlplane.api.problems"), *log.of("django.request")]
    assert {line["request_id"] for line in lines} == {"find-me-again"}
    assert "a bug" in lines[-1]["traceback"]


def test_no_secret_is_in_any_line(unbroken: Caller, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.PASSWORD_HASHERS = [user_accounts.QUICK]
    ada, wrong, user_data = make_person("ada"), "not the pass phrase", "echo hunter2"
    hook = {"name": "ops", "url": "https://ops.example.org/", "kinds": ["*"]}
    with written() as log:
        session = ada.sign_in().body["secret"]
        assert ada.sign_in(password=wrong).status == 401
        token = unbroken.post("tokens", {"name": "ci", "role": "member", "lifetime_days": 1}).body["secret"]
        secret = unbroken.post("webhooks", hook).body["secret"]
        caller = Caller(token=token, project="alpha", http=unbroken.http)
        body = {"name": "web", "flavor": "tiny", "image": "tiny", "networks": ["lan"], "user_data": user_data}
        assert caller.post("instances", body).status == 201
        monkeypatch.setattr("controlplane.compute.selectors.instances", explode)
        assert caller.get("instances").status == 500
    assert log.text
    for each in (PASSWORD, wrong, session, token, secret, user_data):
        assert each not in log.text, each
