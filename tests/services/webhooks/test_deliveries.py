"""Deliveries to real receivers: signed, ordered, at least once, retried, abandoned."""

import json
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

import pytest
from django.db import connection
from pytest_django import Settings
from standardwebhooks import WebhookVerificationError

from controlplane.events.models import Event
from controlplane.events.services import delete_expired, publish_event
from controlplane.identity.actor import Actor
from controlplane.identity.errors import RoleNeeded
from controlplane.kernel import clock, safe_http
from controlplane.kernel.ids import new_id
from controlplane.webhooks import deliveries, sender
from controlplane.webhooks.dispatch import dispatch, due_webhooks
from controlplane.webhooks.errors import WebhookDisabled
from controlplane.webhooks.models import Delivery, Webhook
from controlplane.webhooks.sender import Outcome
from controlplane.webhooks.services import patched, ping, redeliver, rotation_end, secret_rotate, webhook_update
from tests.services.threads import at_once
from tests.services.webhooks.conftest import Queue, make_webhook
from tests.services.webhooks.receiver import Got, Receiver, receiving
from tests.world import Tenant, make_tenant

KINDS = ["network.*"]


def happen(tenant: Tenant, *names: str, kind: str = "network.created") -> None:
    for name in names:
        publish_event(tenant.actor, kind, new_id(), project_id=tenant.project.pk, name=name)


def send_all() -> int:
    """Deliver as the worker does, until nothing is due."""
    dispatch()
    return sum(deliveries.deliver(webhook_id) for webhook_id in due_webhooks())


def make_due() -> None:
    """The pause before the next try is over."""
    Delivery.objects.filter(state="pending").update(due_at=clock.now())


def log_of(webhook: Webhook) -> list[tuple[str, list[tuple[int | None, str]]]]:
    rows = Delivery.objects.filter(webhook=webhook).order_by("event__number")
    return [(row.state, [(each["status_code"], each["error"]) for each in row.attempts]) for row in rows]


def test_delivery_equals_the_feed_event_and_its_signature_verifies(tenant: Tenant, receiver: Receiver) -> None:
    webhook, secret = make_webhook(tenant, receiver.url + "?team=ops", kinds=KINDS)
    happen(tenant, "lan")
    assert send_all() == 1
    (got,) = receiver.got
    document = got.verified(secret)
    event = Event.objects.get(kind="network.created")
    assert (document["kind"], document["id"], document["resource"]["name"]) == (
        "network.created",
        str(event.id),
        "lan",
    )
    assert got.id == str(event.id)
    assert got.path == "/hook?team=ops"
    assert got.headers["host"] == f"localhost:{receiver.server_address[1]}"
    assert log_of(webhook) == [("succeeded", [(204, "")])]
    assert send_all() == 0


@pytest.mark.parametrize("part", ["body", "webhook-id", "webhook-timestamp", "webhook-signature"])
def test_altered_delivery_does_not_verify(tenant: Tenant, receiver: Receiver, part: str) -> None:
    _, secret = make_webhook(tenant, receiver.url, kinds=KINDS)
    happen(tenant, "lan")
    send_all()
    (got,) = receiver.got
    if part == "body":
        got = Got(got.headers, got.body.replace(b"lan", b"wan"), got.path)
    else:
        altered = {"webhook-timestamp": str(int(got.headers["webhook-timestamp"]) + 1)}.get(part, "v1,AAAA")
        got = Got(got.headers | {part: altered}, got.body, got.path)
    with pytest.raises(WebhookVerificationError):
        got.verified(secret)


def test_webhook_gets_only_later_events_of_its_kinds(tenant: Tenant, receiver: Receiver) -> None:
    happen(tenant, "before")
    dispatch()
    make_webhook(tenant, receiver.url, kinds=["network.deleted", "volume.*"])
    happen(tenant, "one", kind="network.deleted")
    happen(tenant, "two", kind="network.created")
    happen(tenant, "three", kind="volume.in-use")
    send_all()
    assert receiver.names() == ["one", "three"]


def test_webhook_gets_only_events_of_its_project(tenant: Tenant, receiver: Receiver) -> None:
    make_webhook(tenant, receiver.url)
    other = make_tenant("beta")
    happen(other, "of-beta")
    publish_event(None, "node.ready", new_id(), project_id=None, name="node-1")
    for owner, name in ((other, "theirs"), (tenant, "ours")):
        organization_id = owner.project.organization_id
        publish_event(None, "policy.changed", new_id(), project_id=None, organization_id=organization_id, name=name)
    send_all()
    assert receiver.names() == ["ops", "ours"], "its own creation, and its own organization's policy"


def test_deliveries_are_in_order(tenant: Tenant, receiver: Receiver, queue: Queue) -> None:
    webhook, _ = make_webhook(tenant, receiver.url, kinds=KINDS)
    names = [f"lan-{number}" for number in range(deliveries.RUN_MAX + 5)]
    happen(tenant, *names)
    assert send_all() == deliveries.RUN_MAX
    assert queue.sent[-1] == webhook.pk, "the rest is hinted at"
    assert send_all() == 5
    assert receiver.names() == names


def test_failed_delivery_is_retried_before_later_ones(tenant: Tenant, receiver: Receiver) -> None:
    webhook, secret = make_webhook(tenant, receiver.url, kinds=KINDS)
    receiver.answer = lambda got: 500
    happen(tenant, "one", "two")
    assert send_all() == 1, "the second would fare no better"
    assert send_all() == 0, "not before its time"
    row = Delivery.objects.get(event__resource_name="one")
    assert timedelta(seconds=3) < row.due_at - clock.now() < timedelta(seconds=7)
    make_due()
    receiver.answer = lambda got: 200
    send_all()
    assert receiver.names() == ["one", "one", "two"]
    first, repeated, _ = receiver.got
    assert first.id == repeated.id
    assert repeated.verified(secret)
    assert log_of(webhook) == [("succeeded", [(500, "status"), (200, "")]), ("succeeded", [(200, "")])]


def test_refused_event_does_not_block_later_ones(tenant: Tenant, receiver: Receiver) -> None:
    webhook, _ = make_webhook(tenant, receiver.url, kinds=KINDS)
    receiver.answer = lambda got: 400 if got.name() == "one" else 200
    happen(tenant, "one", "two")
    send_all()
    assert receiver.names() == ["one", "two"]
    assert log_of(webhook) == [("pending", [(400, "status")]), ("succeeded", [(200, "")])]


def test_unresponsive_receiver_times_out(tenant: Tenant, receiver: Receiver, settings: Settings) -> None:
    settings.WEBHOOK_TIMEOUT_S = 1
    webhook, _ = make_webhook(tenant, receiver.url, kinds=KINDS)
    receiver.answer = lambda got: None
    happen(tenant, "lan")
    send_all()
    assert log_of(webhook) == [("pending", [(None, "timeout")])]


def test_endless_response_times_out(tenant: Tenant, settings: Settings) -> None:
    """Byte after byte of a header, each in time."""
    settings.WEBHOOK_TIMEOUT_S = 1
    with _dripping() as port:
        webhook, _ = make_webhook(tenant, f"http://localhost:{port}/", kinds=KINDS)
        happen(tenant, "lan")
        send_all()
    assert log_of(webhook) == [("pending", [(None, "timeout")])]


@contextmanager
def _dripping() -> Iterator[int]:
    over = threading.Event()

    def drip(server: socket.socket) -> None:
        client, _ = server.accept()
        with client, suppress(OSError):
            client.sendall(b"HTTP/1.1 200 OK\r\nX: ")
            while not over.wait(0.1):
                client.sendall(b"a")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=drip, args=(server,))
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            over.set()
            thread.join()


def test_restarted_receiver_gets_all_events(tenant: Tenant) -> None:
    with receiving() as receiver:
        webhook, _ = make_webhook(tenant, receiver.url, kinds=KINDS)
        port = receiver.server_address[1]
    happen(tenant, "one", "two")
    send_all()
    assert log_of(webhook) == [("pending", [(None, "unreachable")]), ("pending", [])]
    with receiving(port) as receiver:
        make_due()
        send_all()
        assert receiver.names() == ["one", "two"]


def test_webhook_is_disabled_after_a_day_of_failures(tenant: Tenant, receiver: Receiver) -> None:
    webhook, _ = make_webhook(tenant, receiver.url, kinds=KINDS)
    receiver.answer = lambda got: 503
    happen(tenant, "one", "two")
    for _ in range(len(deliveries.PAUSES_S) + 1):
        make_due()
        send_all()
    webhook.refresh_from_db()
    assert (webhook.is_enabled, webhook.trouble) == (False, "failing")
    assert len(receiver.got) == len(deliveries.PAUSES_S) + 1
    assert [state for state, _ in log_of(webhook)] == ["failed", "failed"]
    event = Event.objects.get(kind="webhook.disabled")
    assert (event.resource_id, event.project_id, event.data) == (
        webhook.pk,
        tenant.project.pk,
        {"reason": "failing"},
    )
    happen(tenant, "three")
    assert send_all() == 0
    with pytest.raises(WebhookDisabled):
        ping(tenant.actor, webhook)
    with pytest.raises(WebhookDisabled):
        redeliver(tenant.actor, Delivery.objects.select_related("webhook")[0])


def test_retry_pauses_sum_to_about_a_day() -> None:
    assert 23 * 3600 < sum(deliveries.PAUSES_S) < 25 * 3600


def test_response_410_disables_the_webhook_at_once(tenant: Tenant, receiver: Receiver) -> None:
    webhook, _ = make_webhook(tenant, receiver.url, kinds=KINDS)
    receiver.answer = lambda got: 410
    happen(tenant, "one")
    send_all()
    webhook.refresh_from_db()
    assert (webhook.is_enabled, webhook.trouble) == (False, "gone")


def test_reenabled_webhook_gets_only_later_events(tenant: Tenant, receiver: Receiver) -> None:
    webhook, _ = make_webhook(tenant, receiver.url, kinds=KINDS)
    webhook = webhook_update(tenant.actor, webhook, patched(webhook, {"is_enabled": False}))
    happen(tenant, "meanwhile")
    dispatch()
    webhook_update(tenant.actor, webhook, patched(webhook, {"is_enabled": True}))
    happen(tenant, "afterwards")
    send_all()
    assert receiver.names() == ["afterwards"]


def test_both_secrets_sign_during_a_rotation(tenant: Tenant, receiver: Receiver) -> None:
    webhook, old = make_webhook(tenant, receiver.url, kinds=KINDS)
    webhook, new = secret_rotate(tenant.actor, webhook, overlap_hours=1)
    happen(tenant, "one")
    send_all()
    (got,) = receiver.got
    assert got.verified(old) == got.verified(new)
    Webhook.objects.update(previous_ends_at=clock.now() - timedelta(seconds=1))
    happen(tenant, "two")
    send_all()
    assert receiver.got[1].verified(new)
    with pytest.raises(WebhookVerificationError):
        receiver.got[1].verified(old)


@pytest.mark.parametrize("how", ["action", "no overlap"])
def test_old_secret_can_be_ended_at_once(tenant: Tenant, receiver: Receiver, how: str) -> None:
    webhook, old = make_webhook(tenant, receiver.url, kinds=KINDS)
    webhook, new = secret_rotate(tenant.actor, webhook, overlap_hours=1 if how == "action" else 0)
    if how == "action":
        rotation_end(tenant.actor, webhook)
    happen(tenant, "one")
    send_all()
    assert receiver.got[0].verified(new)
    with pytest.raises(WebhookVerificationError):
        receiver.got[0].verified(old)


def test_ping_goes_to_its_webhook_only(tenant: Tenant, receiver: Receiver) -> None:
    webhook, secret = make_webhook(tenant, receiver.url, kinds=KINDS)
    with receiving() as other:
        make_webhook(tenant, other.url, name="all")
        dispatch()
        ping(tenant.actor, webhook)
        send_all()
        assert {json.loads(got.body)["kind"] for got in other.got} == {"webhook.created"}
    (got,) = receiver.got
    assert got.verified(secret)["kind"] == "webhook.pinged"


def test_delivered_event_can_be_redelivered(tenant: Tenant, receiver: Receiver) -> None:
    webhook, secret = make_webhook(tenant, receiver.url, kinds=KINDS)
    happen(tenant, "one")
    send_all()
    redeliver(tenant.actor, Delivery.objects.select_related("webhook").get())
    send_all()
    first, repeated = receiver.got
    assert first.id == repeated.id
    assert first.verified(secret) == repeated.verified(secret)
    assert log_of(webhook) == [("succeeded", [(204, ""), (204, "")])]


def test_delivery_log_expires_with_the_events(tenant: Tenant, receiver: Receiver) -> None:
    make_webhook(tenant, receiver.url, kinds=KINDS)
    happen(tenant, "old")
    send_all()
    Event.objects.update(created_at=clock.now() - timedelta(days=31))
    happen(tenant, "new")
    send_all()
    delete_expired()
    assert list(Delivery.objects.values_list("event__resource_name", flat=True)) == ["new"]


class Killed(BaseException):
    """The worker's process is gone."""


def test_delivery_is_repeated_after_a_worker_died(
    tenant: Tenant, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook, _ = make_webhook(tenant, receiver.url, kinds=KINDS)
    happen(tenant, "one", "two", "three")
    dispatch()
    record_attempt, count = deliveries.delivery_metrics.record_attempt, iter(range(9))

    def die_at_the_second(outcome: Outcome | None) -> None:
        if next(count) == 1:
            raise Killed
        record_attempt(outcome)

    with monkeypatch.context() as patched_once:
        patched_once.setattr(deliveries.delivery_metrics, "record_attempt", die_at_the_second)
        with pytest.raises(Killed):
            deliveries.deliver(webhook.pk)
    assert send_all() == 2
    assert receiver.names() == ["one", "two", "two", "three"]
    ids = [got.id for got in receiver.got]
    assert ids[1] == ids[2], "so a receiver knows it again"


def test_delivery_lease_excludes_others_until_it_expires(tenant: Tenant, receiver: Receiver) -> None:
    webhook, _ = make_webhook(tenant, receiver.url, kinds=KINDS)
    happen(tenant, "one")
    dispatch()
    assert deliveries.take_lease(webhook.pk) is not None
    assert due_webhooks() == []
    assert deliveries.deliver(webhook.pk) == 0
    Webhook.objects.update(lease_expires_at=clock.now() - timedelta(seconds=1))
    assert due_webhooks() == [webhook.pk]
    assert deliveries.deliver(webhook.pk) == 1


@pytest.mark.django_db(transaction=True)
def test_one_of_many_workers_delivers(receiver: Receiver) -> None:
    tenant = make_tenant()
    webhook, _ = make_webhook(tenant, receiver.url, kinds=KINDS)
    happen(tenant, "one", "two", "three")
    assert at_once([dispatch] * 4) == [None] * 4
    counts = at_once([lambda: deliveries.deliver(webhook.pk)] * 4)
    assert sorted(count for count in counts if isinstance(count, int)) == [0, 0, 0, 3]
    assert receiver.names() == ["one", "two", "three"]


@pytest.mark.django_db(transaction=True)
def test_worker_without_the_delivery_lease_writes_nothing(receiver: Receiver) -> None:
    """The worker was paused while it sent, and another took over."""
    tenant = make_tenant()
    webhook, _ = make_webhook(tenant, receiver.url, kinds=KINDS)
    happen(tenant, "one")
    dispatch()

    def overtaken(got: Got) -> int:
        Webhook.objects.filter(pk=webhook.pk).update(lease_token=new_id())
        connection.close()
        return 204

    receiver.answer = overtaken
    assert deliveries.deliver(webhook.pk) == 0
    assert log_of(webhook) == [("pending", [])]


def test_missing_key_sends_nothing(tenant: Tenant, receiver: Receiver, settings: Settings) -> None:
    webhook, _ = make_webhook(tenant, receiver.url, kinds=KINDS)
    happen(tenant, "one")
    settings.SECRET_KEY = "another"
    send_all()
    assert receiver.got == []
    webhook.refresh_from_db()
    assert (webhook.is_enabled, webhook.trouble) == (False, "unreadable")
    webhook, secret = secret_rotate(tenant.actor, webhook, overlap_hours=1)
    webhook_update(tenant.actor, webhook, patched(webhook, {"is_enabled": True}))
    happen(tenant, "two")
    send_all()
    assert receiver.got[0].verified(secret)


def test_secrets_are_encrypted_in_the_database_and_never_logged(
    tenant: Tenant, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        webhook, old = make_webhook(tenant, receiver.url + "?key=hidden", kinds=KINDS)
        webhook, new = secret_rotate(tenant.actor, webhook, overlap_hours=1)
        receiver.answer = lambda got: 410
        happen(tenant, "one")
        send_all()
    stored = repr(list(Webhook.objects.values()))
    published = repr(list(Event.objects.values())) + repr(list(Delivery.objects.values()))
    for secret in (old, new):
        bare = secret.removeprefix("whsec_")
        assert bare not in stored + published + caplog.text
    assert "hidden" not in published + "".join(
        record.getMessage() for record in caplog.records if record.name.startswith("controlplane")
    )


# Where nothing is sent.


@pytest.mark.parametrize(
    "host", ["127.0.0.2", "[::1]", "169.254.169.254", "10.0.0.1", "[::ffff:127.0.0.1]", "ip6-localhost", "0.0.0.0"]
)
def test_private_address_is_refused_at_delivery(receiver: Receiver, host: str) -> None:
    """Whatever was checked when the webhook was made."""
    url = receiver.url.replace("localhost", host)
    outcome = sender.post(url, headers={}, body=b"{}")
    assert (outcome.status_code, outcome.error) in [(None, "refused"), (None, "unreachable")]
    assert outcome.error == "refused" or host == "ip6-localhost"
    assert receiver.got == []


def test_host_name_is_resolved_once(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """The address that was checked is the one that is connected to: a second answer would come too late."""
    resolve = socket.getaddrinfo
    answers = [[(socket.AF_INET, socket.SOCK_STREAM, 6, "", receiver.server_address)]]
    monkeypatch.setattr(
        safe_http.socket,
        "getaddrinfo",
        lambda host, *more, **options: answers.pop() if host == "ops.example" else resolve(host, *more, **options),
    )
    monkeypatch.setattr(safe_http, "is_public", lambda _: True)
    url = receiver.url.replace("localhost", "ops.example")
    headers = {"webhook-id": "1"}
    assert sender.post(url, headers=headers, body=b"{}").status_code == 204
    assert receiver.got[0].headers["host"].startswith("ops.example:")


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirect_is_not_followed(tenant: Tenant, receiver: Receiver, status: int) -> None:
    with receiving() as inner:
        receiver.headers = {"Location": inner.url}
        receiver.answer = lambda got: status
        webhook, _ = make_webhook(tenant, receiver.url, kinds=KINDS)
        happen(tenant, "one")
        send_all()
        assert inner.got == []
    assert log_of(webhook) == [("pending", [(status, "status")])]


def test_http_is_refused_unless_allowed(tenant: Tenant, receiver: Receiver, settings: Settings) -> None:
    webhook, _ = make_webhook(tenant, receiver.url, kinds=KINDS)
    settings.IS_WEBHOOK_HTTP_ALLOWED = False
    happen(tenant, "one")
    send_all()
    assert receiver.got == []
    assert log_of(webhook) == [("pending", [(None, "refused")])]


def test_untrusted_certificate_is_refused(receiver: Receiver) -> None:
    outcome = sender.post(receiver.url.replace("http:", "https:"), headers={}, body=b"{}")
    assert (outcome.status_code, outcome.error) == (None, "unreachable")


def test_viewer_cannot_change_a_webhook(tenant: Tenant, receiver: Receiver) -> None:
    webhook, _ = make_webhook(tenant, receiver.url)
    reader = Actor(tenant.actor.user_id, None, tenant.project.pk, "viewer")
    for action in (
        lambda: secret_rotate(reader, webhook, overlap_hours=0),
        lambda: rotation_end(reader, webhook),
        lambda: ping(reader, webhook),
        lambda: webhook_update(reader, webhook, patched(webhook, {})),
    ):
        with pytest.raises(RoleNeeded):
            action()
