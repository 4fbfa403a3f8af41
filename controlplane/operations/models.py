from datetime import timedelta

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q

from controlplane.identity.models import Project
from controlplane.kernel.db import BaseModel
from controlplane.kernel.states import machine
from controlplane.operations.queues import OPERATIONS

OPERATION = machine(
    "operation",
    {
        "pending": "running",
        "running": "succeeded undoing",
        "undoing": "failed cancelled",
        "succeeded": "",
        "failed": "",
        "cancelled": "",
    },
)
LIVE = ("pending", "running", "undoing")


class Operation(BaseModel):
    """A saga: what is to be done, how far it is, who works on it and until when.

    | state     | means |
    |-----------|-------|
    | pending   | nobody has begun; it may wait for another operation on the same resource |
    | running   | steps before `position` are done |
    | undoing   | it failed or was cancelled: steps before `position` are still to be undone, last first |
    | succeeded, failed, cancelled | ended; `error` says why it failed |

    `steps` has one entry per step that was begun: {name, state, attempts, started_at, finished_at, message, tries}, and
    `tries` what was in its way: {state, message, times, first_at, last_at}.
    A worker owns the row while it holds `lease_token` and `lease_expires_at` has not passed. `due_at` is when the next
    try is due. `resource_name` is the one that the resource had when this was asked for. `args` are the facts that the
    workflow needs, fixed then too: ids are chosen before the first step, so a step that is repeated finds what the
    first try made. `traceparent`: of the request, when that was traced. `retry_of`: the operation that ended badly and
    is asked for again with this one; there, `retried_by` names the last that did so. `paused_at`: since when
    maintenance keeps it from beginning. `deadline_at`: after the time that its kind is given, from its beginning on;
    how long it waits before that is not counted. `given_up_node_id`: the node that an operator has given up for this
    operation (workflows/force_finish.py); its steps make no call to that node. `lane`: the queue, and so the
    worker process, that carries it out (queues.py).
    """

    kind = models.CharField(max_length=64)
    project = models.ForeignKey(Project, models.PROTECT, null=True)
    resource_id = models.UUIDField()
    resource_ids = ArrayField(models.UUIDField())
    resource_name = models.CharField(max_length=63, blank=True)
    args = models.JSONField(default=dict)
    state = models.CharField(max_length=16, default=OPERATION.initial)
    is_cancellable = models.BooleanField(default=True)
    preempts = models.BooleanField(default=False)
    lane = models.CharField(max_length=16, default=OPERATIONS, db_default=OPERATIONS)
    steps = models.JSONField(default=list)
    step_count = models.PositiveSmallIntegerField(default=0)
    position = models.PositiveSmallIntegerField(default=0)
    attempts = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField()
    deadline_at = models.DateTimeField()
    lease_token = models.UUIDField(null=True)
    lease_expires_at = models.DateTimeField(null=True)
    cancel_requested_at = models.DateTimeField(null=True)
    error = models.JSONField(null=True)
    paused_at = models.DateTimeField(null=True)
    retry_of = models.UUIDField(null=True)
    retried_by = models.UUIDField(null=True)
    user_id = models.UUIDField(null=True)
    credential_id = models.UUIDField(null=True)
    request_id = models.CharField(max_length=64, blank=True)
    given_up_node_id = models.UUIDField(null=True)
    traceparent = models.CharField(max_length=55, blank=True, default="", db_default="")
    reason = models.CharField(max_length=200, blank=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(state__in=OPERATION.moves), name="operations_operation_state"),
            models.CheckConstraint(
                condition=Q(state__in=LIVE) | Q(finished_at__isnull=False),
                name="operations_operation_ended_has_time",
            ),
        ]
        indexes = [
            models.Index(fields=["due_at"], condition=Q(state__in=LIVE), name="operations_live_due"),
            models.Index(fields=["lane", "project", "due_at"], condition=Q(state__in=LIVE), name="operations_by_turn"),
            models.Index(fields=["project", "created_at"], name="operations_by_project"),
            models.Index(fields=["created_at"], name="operations_by_age"),
            GinIndex(fields=["resource_ids"], name="operations_by_resource"),
        ]

    @property
    def limit(self) -> timedelta:
        """How long it may take."""
        return self.deadline_at - (self.started_at or self.created_at)


class OperationHold(models.Model):
    """The exclusive hold of a live operation on a resource: at most one per resource, by primary key."""

    resource_id = models.UUIDField(primary_key=True)
    operation = models.ForeignKey(Operation, models.CASCADE)

    def __str__(self) -> str:
        return f"{self.resource_id} held by {self.operation_id}"


# From the mildest to the strictest.
ACTIONS = ("accept", "pause", "reject")


class MaintenanceRule(BaseModel):
    """What becomes of a class of work while the rule is in force, from `begins_at` until `ends_at`, if that is known.

    `pattern`: a kind of operation, all of a noun (`volume.*`), or `*`. `zone`, `node_id`: only what is there.
    """

    pattern = models.CharField(max_length=64)
    action = models.CharField(max_length=8)
    zone = models.CharField(max_length=63, blank=True)
    node_id = models.UUIDField(null=True)
    reason = models.CharField(max_length=200)
    begins_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(action__in=ACTIONS), name="operations_maintenance_action")]
