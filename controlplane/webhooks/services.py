"""Webhook services for requests. deliveries.py sends."""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F

from andromede_core.documents.messages import Message, message_of
from controlplane.audit.services import record
from controlplane.events import kinds as known
from controlplane.events import selectors as feed
from controlplane.events.services import new_event
from controlplane.identity.actor import Actor
from controlplane.identity.models import Project
from controlplane.kernel import clock, safe_http
from controlplane.kernel.db import raise_on_violation, write_version
from controlplane.kernel.ids import new_id
from controlplane.kernel.names import check_labels, check_name
from controlplane.quotas import services as quotas
from controlplane.webhooks import secrets, wakeups
from controlplane.webhooks.errors import UnknownKind, WebhookDisabled, WebhookNameTaken, WebhookUrlRefused
from controlplane.webhooks.models import Delivery, Webhook


@dataclass(frozen=True)
class WebhookSpec:
    """Fields of a webhook that its owner sets."""

    name: str
    url: str
    kinds: Sequence[str]
    is_enabled: bool = True
    labels: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_webhook(cls, webhook: Webhook) -> "WebhookSpec":
        return cls(webhook.name, webhook.url, webhook.kinds, webhook.is_enabled, webhook.labels)

    def check(self) -> None:
        """Check the fields. Raises InvalidName, InvalidLabels, WebhookUrlRefused, UnknownKind."""
        check_name(self.name)
        check_labels(self.labels)
        check_url(self.url)
        for number, kind in enumerate(self.kinds):
            if not known.is_pattern(kind):
                raise UnknownKind(field=f"kinds/{number}", kind=kind)


def check_url(text: str) -> None:
    """Check a URL without the network: the host is looked up for each delivery."""
    schemes = ("https", "http") if settings.IS_WEBHOOK_HTTP_ALLOWED else ("https",)
    try:
        url = safe_http.parse_url(text, schemes=schemes)
    except ValueError as exc:
        raise WebhookUrlRefused(field="url", reason=message_of(exc)) from exc
    try:
        is_public = safe_http.is_public(ipaddress.ip_address(url.host))
    except ValueError:
        is_public = url.host != "localhost"
    if not is_public and url.host not in settings.WEBHOOK_PRIVATE_HOSTS:
        raise WebhookUrlRefused(field="url", reason=Message("{host} is not on the public internet.", host=url.host))


@transaction.atomic
def webhook_create(actor: Actor, project: Project, spec: WebhookSpec) -> tuple[Webhook, str]:
    """Create a webhook that gets events from now on; returns it with its secret, which is not shown again.

    Raises:
        WebhookUrlRefused, UnknownKind, WebhookNameTaken, QuotaExceeded
    """
    actor.may_write()
    spec.check()
    webhook_id = new_id()
    secret, ciphertext = secrets.create(webhook_id)
    with raise_on_violation("webhooks_webhook_name_taken", WebhookNameTaken(field="name", name=spec.name)):
        webhook = Webhook.objects.create(
            id=webhook_id, project=project, secret=ciphertext, begins_after=feed.last_position(), **_columns(spec)
        )
    quotas.claim(project.pk, webhook.pk, webhooks=1)
    record(actor, "webhook.create", webhook.pk, project_id=project.pk, name=webhook.name)
    return webhook, secret


@transaction.atomic
def webhook_update(actor: Actor, webhook: Webhook, spec: WebhookSpec) -> Webhook:
    """Update a webhook. A webhook that is enabled again gets events from now on; earlier ones are in the feed."""
    actor.may_write()
    spec.check()
    columns = _columns(spec)
    if spec.is_enabled and not webhook.is_enabled:
        columns |= {"trouble": "", "trouble_at": None, "begins_after": feed.last_position()}
    with raise_on_violation("webhooks_webhook_name_taken", WebhookNameTaken(field="name", name=spec.name)):
        write_version(webhook, **columns)
    if not spec.is_enabled:
        fail_pending(webhook.pk)
    record(actor, "webhook.update", webhook.pk, project_id=webhook.project_id, name=spec.name)
    return webhook


@transaction.atomic
def webhook_delete(actor: Actor, webhook: Webhook) -> None:
    """Delete a webhook with its deliveries. A request that a worker is sending may still arrive."""
    actor.may_write()
    quotas.release(webhook.pk)
    record(actor, "webhook.delete", webhook.pk, project_id=webhook.project_id, name=webhook.name)
    webhook.delete()


@transaction.atomic
def secret_rotate(actor: Actor, webhook: Webhook, *, overlap_hours: int) -> tuple[Webhook, str]:
    """Create a new secret, which is returned here only.

    The previous secret also signs for a limited time; an older one no longer does.
    """
    actor.may_write()
    secret, ciphertext = secrets.create(webhook.pk)
    is_kept = overlap_hours > 0
    write_version(
        webhook,
        previous_secret=F("secret") if is_kept else None,
        previous_ends_at=clock.now() + timedelta(hours=overlap_hours) if is_kept else None,
        secret=ciphertext,
    )
    record(actor, "webhook.rotate", webhook.pk, project_id=webhook.project_id, name=webhook.name)
    return webhook, secret


@transaction.atomic
def rotation_end(actor: Actor, webhook: Webhook) -> Webhook:
    """End the use of the previous secret. Does nothing without one."""
    actor.may_write()
    write_version(webhook, previous_secret=None, previous_ends_at=None)
    return webhook


@transaction.atomic
def ping(actor: Actor, webhook: Webhook) -> Delivery:
    """Send a test event to the webhook. Raises WebhookDisabled."""
    actor.may_write()
    _need_enabled(webhook)
    event = new_event(actor, known.PING, webhook.pk, project_id=webhook.project_id, name=webhook.name)
    event.save(force_insert=True)
    delivery = Delivery.objects.create(webhook=webhook, event=event, due_at=clock.now())
    transaction.on_commit(partial(wakeups.send, webhook.pk), robust=True)
    return delivery


@transaction.atomic
def redeliver(actor: Actor, delivery: Delivery) -> Delivery:
    """Deliver an event again, at once, with a new series of attempts. Raises WebhookDisabled."""
    actor.may_write()
    _need_enabled(delivery.webhook)
    Delivery.objects.filter(pk=delivery.pk).update(
        state="pending", tries=0, due_at=clock.now(), finished_at=None, updated_at=clock.now()
    )
    record(actor, "webhook.redeliver", delivery.pk, project_id=delivery.webhook.project_id)
    transaction.on_commit(partial(wakeups.send, delivery.webhook_id), robust=True)
    delivery.refresh_from_db()
    return delivery


def fail_pending(webhook_id: UUID) -> None:
    """Cancel the pending deliveries. Inside the caller's transaction."""
    now = clock.now()
    waiting = Delivery.objects.filter(webhook_id=webhook_id, state="pending")
    waiting.update(state="failed", finished_at=now, updated_at=now)


def patched(webhook: Webhook, changes: Mapping[str, object]) -> WebhookSpec:
    return replace(WebhookSpec.from_webhook(webhook), **changes)  # type: ignore[arg-type]


def _columns(spec: WebhookSpec) -> dict[str, object]:
    return {
        "name": spec.name,
        "url": spec.url,
        "kinds": list(spec.kinds),
        "is_enabled": spec.is_enabled,
        "labels": dict(spec.labels),
    }


def _need_enabled(webhook: Webhook) -> None:
    if not webhook.is_enabled:
        raise WebhookDisabled()
