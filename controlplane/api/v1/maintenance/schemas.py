"""Schemas of maintenance rules."""

from rest_framework import serializers

from controlplane.kernel import clock
from controlplane.kernel.fields import Choice, In, Out, Reference, Text
from controlplane.operations.models import ACTIONS, MaintenanceRule


class MaintenanceIn(In):
    """A new maintenance rule.

    `kind`: a kind of operation such as instance.create, all kinds of a noun (volume.*), or *. Deletions, shutdowns and
    power-offs must be named to be included. `zone`, `node`: limits the rule to resources there. `begins_at`: now by
    default; `ends_at`: by default, until an operator ends the rule.
    """

    example = {"kind": "image.import", "action": "pause", "reason": "the way out of the data centre is replaced"}

    kind = Text(max_length=64)
    action = Choice(choices=ACTIONS)
    reason = Text(max_length=200)
    zone = Reference(default="", allow_blank=True)
    node = Reference(default="", allow_blank=True)
    begins_at = Text(max_length=40, default="", allow_blank=True)
    ends_at = Text(max_length=40, default="", allow_blank=True)


class MaintenanceOut(Out):
    """A maintenance rule.

    The most specific matching rule applies to an operation (a kind before a noun before *, a node before a zone), and
    among equals the strictest.
    """

    id = serializers.UUIDField()
    kind = serializers.CharField(source="pattern")
    action = serializers.ChoiceField(ACTIONS)
    state = serializers.SerializerMethodField()
    reason = serializers.CharField()
    zone = serializers.CharField(allow_blank=True)
    node = serializers.UUIDField(source="node_id", allow_null=True)
    begins_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()

    def get_state(self, rule: MaintenanceRule) -> str:
        now = clock.now()
        if rule.ends_at is not None and rule.ends_at <= now:
            return "ended"
        return "active" if rule.begins_at <= now else "coming"
