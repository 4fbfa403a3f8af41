"""Routes of a project's webhooks, and of their deliveries."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.api.base_views import ProjectView
from controlplane.api.v1.webhooks.schemas import (
    DeliveryOut,
    RotateIn,
    WebhookIn,
    WebhookOut,
    WebhookPatch,
    WebhookWithSecretOut,
)
from controlplane.identity.actor import Actor
from controlplane.kernel.fields import merge_labels
from controlplane.kernel.listing import Listing, among, created_after, exactly, labelled
from controlplane.kernel.views import Body, created, route
from controlplane.webhooks import selectors, services
from controlplane.webhooks.models import DELIVERY, Delivery, Webhook
from controlplane.webhooks.services import WebhookSpec

WEBHOOKS = Listing(
    {
        "name": exactly("name", "The webhook of this name."),
        "created_after": created_after(),
        "labels": labelled(),
    }
)
DELIVERIES = Listing(
    {
        "state": among("state", DELIVERY.moves),
        "kind": exactly("event__kind", "The deliveries of events of this kind."),
        "created_after": created_after(),
    },
    sorts=("-created_at", "created_at"),
)


def _about(actor: Actor) -> dict[str, Any]:
    return {"sees_urls": actor.is_writer}


def _document(actor: Actor, webhook: Webhook) -> dict[str, Any]:
    document: dict[str, Any] = WebhookOut(webhook, context=_about(actor)).data
    return document


class WebhookList(ProjectView):
    @route("webhook_list", WebhookOut, listing=WEBHOOKS)
    def get(self, request: Request) -> Response:
        return WEBHOOKS.page(request, selectors.webhooks(self.actor, self.project)).answer(
            WebhookOut, context=_about(self.actor)
        )

    @route("webhook_create", WebhookWithSecretOut, body=WebhookIn, status=201)
    def post(self, request: Request, body: Body) -> Response:
        webhook, secret = services.webhook_create(self.actor, self.project, WebhookSpec(**body))
        return created(_document(self.actor, webhook) | {"secret": secret}, request=request)


class WebhookView(ProjectView):
    def webhook(self) -> Webhook:
        return selectors.webhook_get(self.actor, self.project, self.kwargs["webhook"])


class WebhookDetail(WebhookView):
    def versioned(self) -> Webhook:
        return self.webhook()

    @route("webhook_get", WebhookOut)
    def get(self, request: Request) -> Response:
        return Response(_document(self.actor, self.webhook()))

    @route("webhook_update", WebhookOut, body=WebhookPatch)
    def patch(self, request: Request, body: Body) -> Response:
        webhook = self.webhook()
        if "labels" in body:
            body["labels"] = merge_labels(webhook.labels, body["labels"])
        webhook = services.webhook_update(self.actor, webhook, services.patched(webhook, body))
        return Response(_document(self.actor, webhook))

    @route("webhook_delete", status=204)
    def delete(self, request: Request) -> Response:
        services.webhook_delete(self.actor, self.webhook())
        return Response(status=204)


class WebhookRotate(WebhookView):
    """Rotate the secret. The response has the new one. The previous one also signs, for `overlap_hours`."""

    @route("webhook_rotate_secret", WebhookWithSecretOut, body=RotateIn)
    def post(self, request: Request, body: Body) -> Response:
        webhook, secret = services.secret_rotate(self.actor, self.webhook(), **body)
        return Response(_document(self.actor, webhook) | {"secret": secret})


class WebhookEndRotation(WebhookView):
    """End the use of the secret before the last rotation."""

    @route("webhook_end_rotation", WebhookOut)
    def post(self, request: Request) -> Response:
        return Response(_document(self.actor, services.rotation_end(self.actor, self.webhook())))


class WebhookPing(WebhookView):
    @route("webhook_ping", DeliveryOut, status=202)
    def post(self, request: Request) -> Response:
        return Response(DeliveryOut(services.ping(self.actor, self.webhook())).data, status=202)


class DeliveryList(WebhookView):
    @route("webhook_delivery_list", DeliveryOut, listing=DELIVERIES)
    def get(self, request: Request) -> Response:
        return DELIVERIES.page(request, selectors.deliveries(self.webhook())).answer(DeliveryOut)


class DeliveryView(WebhookView):
    def delivery(self) -> Delivery:
        return selectors.delivery_get(self.webhook(), self.kwargs["delivery"])


class DeliveryDetail(DeliveryView):
    @route("webhook_delivery_get", DeliveryOut)
    def get(self, request: Request) -> Response:
        return Response(DeliveryOut(self.delivery()).data)


class DeliveryRedeliver(DeliveryView):
    """Deliver the event again, with the same webhook-id."""

    @route("webhook_delivery_redeliver", DeliveryOut, status=202)
    def post(self, request: Request) -> Response:
        return Response(DeliveryOut(services.redeliver(self.actor, self.delivery())).data, status=202)
