"""Webhooks over HTTP."""

from typing import Any

import pytest
from django.conf import settings as django_settings
from pytest_django import Settings

from controlplane.quotas.models import QuotaUse
from controlplane.webhooks import deliveries, wakeups
from controlplane.webhooks.models import Delivery, Webhook
from tests.api.client import Caller
from tests.cases import in_one_cloud
from tests.services.webhooks.conftest import Queue
from tests.services.webhooks.receiver import receiving

URL = "https://ops.example.org/andromede?team=1"
HOOK = {"name": "ops", "url": URL, "kinds": ["instance.*", "drift.found"]}


@pytest.fixture(autouse=True)
def queue(monkeypatch: pytest.MonkeyPatch) -> Queue:
    queue = Queue()
    monkeypatch.setattr(wakeups, "send_wakeup", queue.send_wakeup)
    return queue


@pytest.fixture
def hook(api: Caller) -> Any:
    answer = api.post("webhooks", HOOK | {"labels": {"env": "prod"}})
    assert answer.status == 201
    assert answer.headers["Location"].endswith(answer.body["id"])
    return answer.body


def test_secret_is_shown_once(api: Caller, hook: Any) -> None:
    assert hook["secret"].startswith("whsec_")
    answers = [api.get("webhooks"), api.get("webhooks/ops"), api.patch("webhooks/ops", {"kinds": ["*"]})]
    for answer in answers:
        assert "secret" not in answer.text.replace("previous_secret_ends_at", "")
    assert api.get("webhooks").body["items"] == [api.get(f"webhooks/{hook['id']}").body]


def test_webhook_has_its_fields_and_conditions(api: Caller, hook: Any) -> None:
    shown = api.get("webhooks/ops").body
    assert {name: shown[name] for name in HOOK} == HOOK
    assert shown["labels"] == {"env": "prod"}
    assert [(c["type"], c["status"], c["reason"]) for c in shown["conditions"]] == [("delivering", "true", "enabled")]
    assert shown["previous_secret_ends_at"] is None


def test_webhook_is_changed_and_deleted(api: Caller, hook: Any) -> None:
    changed = api.patch("webhooks/ops", {"name": "siem", "is_enabled": False, "labels": {"env": None}}).body
    assert (changed["name"], changed["is_enabled"], changed["labels"]) == ("siem", False, {})
    assert changed["url"] == URL
    assert [(c["status"], c["reason"]) for c in changed["conditions"]] == [("false", "disabled")]
    assert api.patch("webhooks/siem", {"is_enabled": True}).body["conditions"][0]["status"] == "true"
    assert api.delete("webhooks/siem").status == 204
    assert api.get("webhooks/siem").problem[1] == "webhook.not_found"
    assert not QuotaUse.objects.filter(dimension="webhooks").exists()


def test_each_change_publishes_an_event(api: Caller, hook: Any) -> None:
    api.patch("webhooks/ops", {"is_enabled": False})
    api.post("webhooks/ops/actions/rotate-secret", {})
    api.delete("webhooks/ops")
    events = api.get(f"/v1/events?resource={hook['id']}").body["items"]
    assert [event["kind"] for event in events] == [
        "webhook.created",
        "webhook.updated",
        "webhook.rotated",
        "webhook.deleted",
    ]
    assert "ops.example.org" not in repr(events)


@in_one_cloud(
    ("change", "problem"),
    [
        ({"url": "http://ops.example.org/"}, (400, "webhook.url_refused", "/url")),
        ({"url": "ftp://ops.example.org/"}, (400, "webhook.url_refused", "/url")),
        ({"url": "https://me:pw@ops.example.org/"}, (400, "webhook.url_refused", "/url")),
        ({"url": "https://127.0.0.1/"}, (400, "webhook.url_refused", "/url")),
        ({"url": "https://[::1]/"}, (400, "webhook.url_refused", "/url")),
        ({"url": "https://169.254.169.254/"}, (400, "webhook.url_refused", "/url")),
        ({"url": "https://localhost/"}, (400, "webhook.url_refused", "/url")),
        ({"url": "x" * 2001}, (400, "invalid_request", "/url")),
        ({"url": "https://"}, (400, "webhook.url_refused", "/url")),
        ({"kinds": []}, (400, "invalid_request", "/kinds")),
        ({"kinds": ["*", "instance.painted"]}, (400, "webhook.unknown_kind", "/kinds/1")),
        ({"kinds": ["inst*"]}, (400, "webhook.unknown_kind", "/kinds/0")),
        ({"name": "Ops"}, (400, "invalid_name", "/name")),
        ({"labels": {"-": "x"}}, (400, "invalid_labels", "/labels")),
        ({"is_enabled": "yes"}, (400, "invalid_request", "/is_enabled")),
    ],
)
def test_invalid_webhook_is_refused(api: Caller, change: Any, problem: Any) -> None:
    assert api.post("webhooks", HOOK | change).problem == problem
    assert not Webhook.objects.exists()
    api.post("webhooks", HOOK)
    assert api.patch("webhooks/ops", change).problem == problem


def test_names_are_unique(api: Caller, hook: Any) -> None:
    assert api.post("webhooks", HOOK).problem == (409, "webhook.name_taken", "/name")
    api.post("webhooks", HOOK | {"name": "siem"})
    assert api.patch("webhooks/siem", {"name": "ops"}).problem == (409, "webhook.name_taken", "/name")


def test_number_of_webhooks_is_limited(api: Caller, hook: Any, settings: Settings) -> None:
    settings.QUOTA_DEFAULTS = django_settings.QUOTA_DEFAULTS | {"webhooks": 1}
    answer = api.post("webhooks", HOOK | {"name": "siem"})
    assert answer.problem[:2] == (409, "quota_exceeded")
    assert [each for each in api.get("limits").body["items"] if each["dimension"] == "webhooks"] == [
        {"dimension": "webhooks", "used": 1, "limit": 1, "available": 0, "bound_by": "project"}
    ]


def test_secret_is_rotated(api: Caller, hook: Any) -> None:
    rotated = api.post("webhooks/ops/actions/rotate-secret", {"overlap_hours": 2}).body
    assert rotated["secret"] != hook["secret"]
    assert rotated["previous_secret_ends_at"] is not None
    assert api.post("webhooks/ops/actions/end-rotation").body["previous_secret_ends_at"] is None
    answer = api.post("webhooks/ops/actions/rotate-secret", {"overlap_hours": 169})
    assert answer.problem == (400, "invalid_request", "/overlap_hours")


def test_ping_is_delivered_and_logged(api: Caller, queue: Queue, settings: Settings) -> None:
    settings.WEBHOOK_PRIVATE_HOSTS, settings.IS_WEBHOOK_HTTP_ALLOWED = ["localhost"], True
    with receiving() as receiver:
        created = api.post("webhooks", HOOK | {"url": receiver.url}).body
        answer = api.post("webhooks/ops/actions/ping")
        assert (answer.status, answer.body["state"]) == (202, "pending")
        assert answer.body["next_attempt_at"] is not None
        receiver.answer = lambda got: 500
        deliveries.deliver(Webhook.objects.get().pk)
        Delivery.objects.update(state="failed")
        failed = api.get(f"webhooks/ops/deliveries/{answer.body['id']}").body
        assert [(each["status_code"], each["error"]) for each in failed["attempts"]] == [(500, "status")]
        assert failed["next_attempt_at"] is None
        receiver.answer = lambda got: 200
        redelivered = api.post(f"webhooks/ops/deliveries/{failed['id']}/actions/redeliver")
        assert (redelivered.status, redelivered.body["state"]) == (202, "pending")
        deliveries.deliver(Webhook.objects.get().pk)
        assert receiver.got[1].verified(created["secret"])["kind"] == "webhook.pinged"
    (listed,) = api.get("webhooks/ops/deliveries?state=succeeded&kind=webhook.pinged").body["items"]
    assert [each["status_code"] for each in listed["attempts"]] == [500, 200]
    assert listed["event"]["id"] == receiver.got[0].id
    assert api.get("webhooks/ops/deliveries?state=failed").body["items"] == []


def test_disabled_webhook_sends_nothing(api: Caller, hook: Any) -> None:
    api.patch("webhooks/ops", {"is_enabled": False})
    assert api.post("webhooks/ops/actions/ping").problem[:2] == (409, "webhook.disabled")


def test_delivery_of_another_webhook_is_not_found(api: Caller, hook: Any) -> None:
    delivery = api.post("webhooks/ops/actions/ping").body["id"]
    api.post("webhooks", HOOK | {"name": "siem"})
    assert api.get(f"webhooks/siem/deliveries/{delivery}").problem[:2] == (404, "webhook.delivery.not_found")
    answer = api.post(f"webhooks/siem/deliveries/{delivery}/actions/redeliver")
    assert answer.problem[:2] == (404, "webhook.delivery.not_found")
