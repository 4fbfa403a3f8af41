"""Schemas of instance migrations."""

from rest_framework import serializers

from controlplane.compute.migration import DEADLINE_S_MAX, DEADLINE_S_MIN
from controlplane.compute.models import MIGRATION
from controlplane.kernel.fields import Choice, ErrorOut, In, NamedOut, Out, Reference, Text, Whole
from controlplane.nodes.models import AUTO_CONVERGE, CONVERGENCES


class MigrateIn(In):
    """`node`: on this one and no other; policies are asked all the same. Without it, on the best that they admit in the
    instance's zone. `reason` is told to the tenant. `deadline_s`: so long after its beginning it is called off if the
    guest has not left, which then goes on where it is; without it, 30 minutes and 30 s for each GiB of its memory and
    of the disks that are sent. `convergence`: what is done if the guest writes faster than it can be sent:
    `auto_converge` slows it down, `none` waits for the deadline. Of a guest that is off it means nothing."""

    example = {"node": "par-2", "reason": "the machine below is repaired", "deadline_s": 900}

    node = Reference(required=False)
    reason = Text(max_length=200, default="", allow_blank=True)
    deadline_s = Whole(min_value=DEADLINE_S_MIN, max_value=DEADLINE_S_MAX, required=False)
    convergence = Choice(choices=CONVERGENCES, default=AUTO_CONVERGE)


class MigrationOut(Out):
    """`destination`: null until one is chosen. `wished`: the only node that was to do. `total_bytes`, `moved_bytes`: of
    memory and disks. `pause_ms`: how long the guest stood still; null until it has arrived."""

    id = serializers.UUIDField()
    state = serializers.ChoiceField(list(MIGRATION.moves))
    source = NamedOut()  # type: ignore[assignment]  # a field of this name, and no place of one
    destination = NamedOut(allow_null=True)
    wished = NamedOut(allow_null=True)
    operation = serializers.UUIDField(source="operation_id")
    reason = serializers.CharField(allow_blank=True)
    total_bytes = serializers.IntegerField()
    moved_bytes = serializers.IntegerField()
    pause_ms = serializers.IntegerField(allow_null=True)
    error = ErrorOut(allow_null=True)
    created_at = serializers.DateTimeField()
    arrived_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)


class MigrationPlanOut(Out):
    """`node`: where it is; null while it is nowhere. `is_off`: it would move as one that is off, and stay so. `nodes`:
    those that would take it now, the best first, at most fifty. `reasons`: why it cannot be moved; then there are no
    nodes."""

    instance = NamedOut()
    project = NamedOut()
    node = NamedOut(allow_null=True)
    is_off = serializers.BooleanField()
    nodes = NamedOut(many=True)
    reasons = ErrorOut(many=True)
