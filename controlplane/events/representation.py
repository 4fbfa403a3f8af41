"""JSON representation of an event, in the feed and in webhooks."""

from typing import Any

from rest_framework import serializers

from controlplane.events import cursors
from controlplane.events.models import Event
from controlplane.kernel.fields import Out
from controlplane.kernel.rendering import FastJSONRenderer


class EventResourceOut(Out):
    kind = serializers.CharField(source="resource_kind")
    id = serializers.UUIDField(source="resource_id")
    name = serializers.CharField(source="resource_name", help_text="The name at that time; empty if unknown.")


class EventActorOut(Out):
    user = serializers.UUIDField(source="user_id", allow_null=True)
    credential = serializers.UUIDField(source="credential_id", allow_null=True)


class EventOut(Out):
    """An event.

    `id` is the same in the feed and in webhooks, so that consumers can recognise duplicates. `cursor` is the position
    after the event. docs/reference/events.md lists the members of `data` for each kind.
    """

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
    """A page of events.

    `cursor`: where to continue, also when there are no items. `has_more`: more events are available now.
    """

    items = EventOut(many=True)
    cursor = serializers.CharField()
    has_more = serializers.BooleanField()


def as_json(event: Event) -> str:
    """Return an event as JSON outside of a response: a line of a stream, a message to a receiver."""
    out: Any = EventOut(event)
    return FastJSONRenderer().render(out.data).decode()
