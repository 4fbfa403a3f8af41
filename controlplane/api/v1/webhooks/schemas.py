"""Schemas of webhooks and their deliveries."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from controlplane.kernel import clock
from controlplane.kernel.fields import ConditionOut, Flag, In, Labels, LabelsPatch, Name, Out, OutsideUrl, Text, Whole
from controlplane.kernel.safe_http import URL_MAX
from controlplane.webhooks.models import DELIVERY, Delivery, Trouble, Webhook

KINDS_MAX = 50
OVERLAP_MAX_HOURS = 7 * 24
OVERLAP_HOURS = 24
MESSAGES = {
    "": _("Events are delivered to it."),
    "disabled": _("A user disabled it."),
    Trouble.FAILING: _("Its receiver accepted no delivery for a day."),
    Trouble.GONE: _("Its receiver answered 410 Gone."),
    Trouble.UNREADABLE: _("Its secret cannot be decrypted. Rotate it, then enable the webhook."),
}


def _kinds(**kwargs: Any) -> serializers.ListField:
    return serializers.ListField(child=Text(max_length=64), min_length=1, max_length=KINDS_MAX, **kwargs)


class WebhookIn(In):
    example = {"name": "ops", "url": "https://ops.example.org/andromede", "kinds": ["instance.*", "drift.found"]}

    name = Name()
    url = Text(max_length=URL_MAX)
    kinds = _kinds()
    is_enabled = Flag(default=True)
    labels = Labels(default=dict)


class WebhookPatch(In):
    example = {"is_enabled": False, "labels": {"env": None}}

    name = Name(required=False)
    url = Text(max_length=URL_MAX, required=False)
    kinds = _kinds(required=False)
    is_enabled = Flag(required=False)
    labels = LabelsPatch(required=False)


class RotateIn(In):
    example = {"overlap_hours": 24}

    overlap_hours = Whole(min_value=0, max_value=OVERLAP_MAX_HOURS, default=OVERLAP_HOURS)


class WebhookOut(Out):
    """A webhook.

    `previous_secret_ends_at`: until then the secret before the last rotation also signs. The condition `delivering` has
    the reason when it gets no events.
    """

    id = serializers.UUIDField()
    name = serializers.CharField()
    url = OutsideUrl(help_text="Without its query for callers without write permission.")
    kinds = serializers.ListField(child=serializers.CharField())
    is_enabled = serializers.BooleanField()
    conditions = serializers.SerializerMethodField()
    previous_secret_ends_at = serializers.SerializerMethodField()
    generation = serializers.IntegerField()
    labels = serializers.DictField(child=serializers.CharField())
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()

    @extend_schema_field(ConditionOut(many=True))
    def get_conditions(self, webhook: Webhook) -> Any:
        reason = "" if webhook.is_enabled else webhook.trouble or "disabled"
        condition = {
            "type": "delivering",
            "status": "true" if webhook.is_enabled else "false",
            "reason": reason or "enabled",
            "message": str(MESSAGES[reason]),
            "changed_at": webhook.trouble_at,
        }
        return ConditionOut([condition], many=True).data

    @extend_schema_field(serializers.DateTimeField(allow_null=True))
    def get_previous_secret_ends_at(self, webhook: Webhook) -> Any:
        ends_at = webhook.previous_ends_at
        if ends_at is None or ends_at <= clock.now():
            return None
        return serializers.DateTimeField().to_representation(ends_at)


class WebhookWithSecretOut(WebhookOut):
    """A webhook with its secret, which is in this response only, in the format of Standard Webhooks."""

    secret = serializers.CharField()


class AttemptOut(Out):
    """An attempt.

    `error`: empty; `status`: no 2xx; `timeout`; `unreachable`: no connection, or no secure one; `refused`: an address
    to which nothing is sent; `unsigned`: the secret cannot be decrypted. The response's body is not stored.
    """

    at = serializers.DateTimeField()
    status_code = serializers.IntegerField(allow_null=True)
    duration_ms = serializers.IntegerField()
    error = serializers.CharField()

    def to_representation(self, instance: Any) -> Any:
        return instance


class DeliveredEventOut(Out):
    id = serializers.UUIDField()
    kind = serializers.CharField()
    created_at = serializers.DateTimeField()


class DeliveryOut(Out):
    """A delivery. `attempts`: the last ones, the newest at the end."""

    id = serializers.UUIDField()
    event = DeliveredEventOut()
    state = serializers.ChoiceField(list(DELIVERY.moves))
    attempts = AttemptOut(many=True)
    next_attempt_at = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)

    @extend_schema_field(serializers.DateTimeField(allow_null=True))
    def get_next_attempt_at(self, delivery: Delivery) -> Any:
        return serializers.DateTimeField().to_representation(delivery.due_at) if delivery.state == "pending" else None
