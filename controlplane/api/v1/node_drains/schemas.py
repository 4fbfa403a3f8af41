"""Schemas of node drains."""

from collections import Counter
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from controlplane.compute.migration import DEADLINE_S_MAX, DEADLINE_S_MIN
from controlplane.identity.models import Project
from controlplane.kernel.fields import Choice, ErrorOut, In, NamedOut, Out, Text, Whole
from controlplane.node_lifecycle.drain import drains
from controlplane.nodes.models import (
    ACTIONS,
    AUTO_CONVERGE,
    CONVERGENCES,
    DRAIN,
    DRAIN_GUEST,
    DRAIN_KINDS,
    DRAIN_LIVE,
    FALLBACKS,
    Drain,
    DrainGuest,
)

ENDED = ("moved", "off", "gone", "starting", "started")


FALLBACK_HELP = "Action for running guests that cannot be moved: leave them running, or stop them."


class PlanIn(In):
    example = {"fallback": "leave"}

    fallback = Choice(choices=FALLBACKS, default="leave", help_text=FALLBACK_HELP)


class DrainIn(In):
    """A request for a drain.

    `plan`: the digest of the plan to confirm. `at_once`: maximum number of guests that move at a time. `deadline_s`,
    `convergence`: of each migration.
    """

    example = {"plan": "0" * 64, "fallback": "leave", "at_once": 2, "reason": "its fan is to be replaced"}

    plan = Text(max_length=64)
    fallback = Choice(choices=FALLBACKS, default="leave", help_text=FALLBACK_HELP)
    at_once = Whole(min_value=1, max_value=drains.AT_ONCE_MAX, default=drains.AT_ONCE)
    reason = Text(max_length=200, default="", allow_blank=True)
    deadline_s = Whole(min_value=DEADLINE_S_MIN, max_value=DEADLINE_S_MAX, required=False)
    convergence = Choice(choices=CONVERGENCES, default=AUTO_CONVERGE)


class RetryIn(In):
    """A request to retry a drain. `fallback`: a new value from now on."""

    example = {"fallback": "stop"}

    fallback = Choice(choices=FALLBACKS, default=None, allow_null=True)


class MaintainIn(In):
    example = {"reason": "its fan is replaced"}

    reason = Text(max_length=200, default="", allow_blank=True)


class _GuestOut(Out):
    """A guest in a plan.

    `action` of a drain: migrate, stop (until the node is returned), stay (it is off and cannot be moved), leave (it
    keeps running, and the drain cannot end) or wait (for its running operation, then it is planned); of a recovery:
    evacuate, stay (it returns with its node) or wait. `target`: the present destination. `reasons`: why it cannot be
    moved, or not now.
    """

    instance = NamedOut()
    project = NamedOut()
    action = serializers.ChoiceField(ACTIONS)
    target = NamedOut(allow_null=True)
    reasons = ErrorOut(many=True)


class PlannedGuestOut(_GuestOut):
    """A guest in a plan of a drain.

    `start_obstacles`: why a stopped guest would not be started again if the node were returned now; empty: it is
    started again.
    """

    start_obstacles = ErrorOut(many=True)


class DrainPlanOut(Out):
    """A plan of a drain.

    `digest` identifies the plan in the request for the drain. `counts`: guests by action. `volumes`: number of
    unattached volumes; they stay, and cannot be used during node maintenance.
    """

    node = NamedOut()
    digest = serializers.CharField()
    fallback = serializers.ChoiceField(FALLBACKS)
    counts = serializers.DictField(child=serializers.IntegerField())
    volumes = serializers.IntegerField()
    guests = PlannedGuestOut(many=True)


class DrainGuestOut(_GuestOut):
    """A guest of a drain.

    `operation`: the operation that moves, stops or starts it. `reasons`: why it did not leave, was not or would not be
    started again, or what it waits for. `starts_again`: it is off because of the drain, and is started when the node is
    back in service, unless one of the `reasons` still applies.
    """

    state = serializers.ChoiceField(list(DRAIN_GUEST.moves))
    operation = serializers.UUIDField(source="operation_id", allow_null=True)
    tries = serializers.IntegerField()
    starts_again = serializers.BooleanField()
    finished_at = serializers.DateTimeField(allow_null=True)


class DrainSummaryOut(Out):
    """A drain.

    `kind`: drain, of a working node, or recover, of a fenced one. `counts`: guests by state; `progress`: percentage of
    guests that have left or are off. `deadline_s` (null: by the size of each guest), `convergence`: of each migration.
    `is_waiting_for_node`: the node is unreachable, and no further guest is moved.
    """

    id = serializers.UUIDField()
    node = NamedOut()
    kind = serializers.ChoiceField(DRAIN_KINDS)
    state = serializers.ChoiceField(list(DRAIN.moves))
    plan = serializers.CharField(source="digest")
    fallback = serializers.ChoiceField(FALLBACKS)
    at_once = serializers.IntegerField()
    deadline_s = serializers.IntegerField(allow_null=True)
    convergence = serializers.ChoiceField(CONVERGENCES)
    reason = serializers.CharField()
    counts = serializers.SerializerMethodField()
    progress = serializers.SerializerMethodField()
    is_waiting_for_node = serializers.SerializerMethodField()
    volumes = serializers.IntegerField()
    created_by = serializers.UUIDField(source="user_id", allow_null=True)
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)

    @extend_schema_field(serializers.DictField(child=serializers.IntegerField()))
    def get_counts(self, drain: Drain) -> dict[str, int]:
        return dict(sorted(Counter(guest.state for guest in drain.guests.all()).items()))

    def get_progress(self, drain: Drain) -> int:
        """Return the progress; guests that return with a fenced node are not waited for."""
        ended = (*ENDED, "left") if drain.kind == "recover" else ENDED
        states = [guest.state for guest in drain.guests.all()]
        return 100 * sum(state in ended for state in states) // len(states) if states else 100

    def get_is_waiting_for_node(self, drain: Drain) -> bool:
        return drain.kind == "drain" and drain.state in DRAIN_LIVE and drain.node.state != "ready"


class DrainOut(DrainSummaryOut):
    """A drain with its guests, in the order of the plan."""

    guests = serializers.SerializerMethodField()

    @extend_schema_field(DrainGuestOut(many=True))
    def get_guests(self, drain: Drain) -> list[dict[str, Any]]:
        rows = sorted(drain.guests.all(), key=lambda guest: guest.order)
        projects = _projects(row.project_id for row in rows)
        return [dict(DrainGuestOut(_guest_document(row, projects)).data) for row in rows]


def _guest_document(row: DrainGuest, projects: dict[UUID, str]) -> dict[str, Any]:
    return {
        "instance": {"id": row.instance_id, "name": row.name},
        "project": {"id": row.project_id, "name": projects.get(row.project_id, "")},
        "action": row.action,
        "target": row.target,
        "reasons": row.reasons,
        "state": row.state,
        "operation_id": row.operation_id,
        "tries": row.tries,
        "starts_again": row.starts_again,
        "finished_at": row.finished_at,
    }


def _projects(ids: Iterable[UUID]) -> dict[UUID, str]:
    return dict(Project.objects.filter(pk__in=set(ids)).values_list("pk", "name"))
