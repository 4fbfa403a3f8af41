"""Schemas of maintenance."""

from rest_framework import serializers

from controlplane.kernel import clock
from controlplane.kernel.fields import Choice, In, Out, Reference, Text
from controlplane.operations.models import ACTIONS, MaintenanceRule


class MaintenanceIn(In):
    """`kind`: a kind of operation such as instance.create, all of a noun (volume.*), or *. Deletions, shutdowns and
    power-offs are meant only where they are named. `zone`, `node`: only what is there. `begins_at`: now, if it is not
    given; `ends_at`: until somebody ends it."""

    example = {"kind": "image.import", "action": "pause", "reason": "the way out of the data centre is replaced"}

    kind = Text(max_length=64)
    action = Choice(choices=ACTIONS)
    reason = Text(max_length=200)
    zone = Reference(default="", allow_blank=True)
    node = Reference(default="", allow_blank=True)
    begins_at = Text(max_length=40, default="", allow_blank=True)
    ends_at = Text(max_length=40, default="", allow_blank=True)


class MaintenanceOut(Out):
    """Of an operation, the most particular rule counts that is about it (a kind before a noun before *, a node before a
    zone), and of such the strictest."""

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
