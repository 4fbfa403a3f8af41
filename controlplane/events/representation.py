"""The JSON representation of an event, in the feed and in webhooks."""

from typing import Any

from rest_framework import serializers

from controlplane.events import cursors
from controlplane.events.models import Event
from controlplane.kernel.fields import Out
from controlplane.kernel.rendering import FastJSONRenderer


class EventResourceOut(Out):
    kind = serializers.CharField(source="resource_kind")
    id = serializers.UUIDField(source="resource_id")
    name = serializers.CharField(source="resource_name", help_text="Then; empty where it is not known.")


class EventActorOut(Out):
    user = serializers.UUIDField(source="user_id", allow_null=True)
    credential = serializers.UUIDField(source="credential_id", allow_null=True)


class EventOut(Out):
    """Something that has happened. `id` is the same wherever the event is told, so that it can be known again. `cursor`
    is the place behind it. What `data` has, docs/reference/events.md says for each kind."""

    id = serializers.UUIDField()
    kind = serializers.CharField()
    created_at = serializers.DateTimeField()
    cursor = serializers.SerializerMethodField()
    project = serializers.UUIDField(source="project_id", allow_null=True)
    organization = serializers.UUIDField(source="organization_id", allow_null=True)
    resource = EventResourceOut(source="*")
    operation = serializers.UUIDField(source="operation_id", allow_null=True)
    actor = EventActorOut(source="*")
    request_id = serializers.CharField()
    data = serializers.DictField()  # type: ignore[assignment]

    def get_cursor(self, event: Event) -> str:
        return cursors.encode(event.position or 0)


class EventsOut(Out):
    """`cursor`: where to go on, also when there are no items. `has_more`: there is more already."""

    items = EventOut(many=True)
    cursor = serializers.CharField()
    has_more = serializers.BooleanField()


def as_json(event: Event) -> str:
    """As an answer has it, for what is no answer: a line of a stream, a message to a receiver."""
    out: Any = EventOut(event)
    return FastJSONRenderer().render(out.data).decode()
