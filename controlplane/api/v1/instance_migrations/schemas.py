"""Schemas of instance migrations."""

from rest_framework import serializers

from controlplane.compute.migration import DEADLINE_S_MAX, DEADLINE_S_MIN
from controlplane.compute.models import MIGRATION
from controlplane.kernel.fields import Choice, ErrorOut, In, NamedOut, Out, Reference, Text, Whole
from controlplane.nodes.models import AUTO_CONVERGE, CONVERGENCES


class MigrateIn(In):
    """A request for a migration.

    `node`: the only allowed destination, subject to the policies. Without it, the best node that they admit in the
    instance's zone. `reason` is shown to the tenant. `deadline_s`: a live migration that has not completed after this
    time is cancelled, and the guest continues on its node; by default 30 minutes plus 30 s for each GiB of its memory
    and of the disks that are sent. `convergence`: the reaction if the guest writes faster than it can be sent:
    `auto_converge` slows it down, `none` waits for the deadline. Neither applies to a guest that is off.
    """

    example = {"node": "par-2", "reason": "the machine below is repaired", "deadline_s": 900}

    node = Reference(required=False)
    reason = Text(max_length=200, default="", allow_blank=True)
    deadline_s = Whole(min_value=DEADLINE_S_MIN, max_value=DEADLINE_S_MAX, required=False)
    convergence = Choice(choices=CONVERGENCES, default=AUTO_CONVERGE)


class MigrationOut(Out):
    """A migration.

    `destination`: null until one is chosen. `wished`: the requested destination. `total_bytes`, `moved_bytes`: of
    memory and disks. `pause_ms`: how long the guest was paused; null until it has arrived.
    """

    id = serializers.UUIDField()
    state = serializers.ChoiceField(list(MIGRATION.moves))
    source = NamedOut()  # type: ignore[assignment]  # a field of this name, and no place of one
    destination = NamedOut(allow_null=True)
    wished = NamedOut(source="requested_destination", allow_null=True)
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
    """Preview of a migration.

    `node`: the present node; null: none. `is_off`: a cold migration, after which the guest stays off. `nodes`: possible
    destinations, the best first, at most fifty. `reasons`: why it cannot be moved; then `nodes` is empty.
    """

    instance = NamedOut()
    project = NamedOut()
    node = NamedOut(allow_null=True)
    is_off = serializers.BooleanField()
    nodes = NamedOut(many=True)
    reasons = ErrorOut(many=True)
