"""Webhook queries: webhooks that an actor sees, and their deliveries."""

from django.db.models import QuerySet

from controlplane.identity.actor import Actor
from controlplane.identity.models import Project
from controlplane.kernel.db import by_id, by_ref
from controlplane.webhooks.errors import DeliveryNotFound, WebhookNotFound
from controlplane.webhooks.models import Delivery, Webhook


def webhooks(actor: Actor, project: Project) -> QuerySet[Webhook]:
    """Return the project's webhooks; `project` comes from identity.selectors, which knows what the actor sees."""
    return Webhook.objects.filter(project=project)


def webhook_get(actor: Actor, project: Project, ref: str) -> Webhook:
    webhook = by_ref(webhooks(actor, project), ref)
    if webhook is None:
        raise WebhookNotFound(name=ref)
    return webhook


def deliveries(webhook: Webhook) -> QuerySet[Delivery]:
    return Delivery.objects.filter(webhook=webhook).select_related("event")


def delivery_get(webhook: Webhook, ref: str) -> Delivery:
    delivery = by_id(deliveries(webhook), ref)
    if delivery is None:
        raise DeliveryNotFound(name=ref)
    return delivery
