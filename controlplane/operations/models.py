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
    """A saga: the requested change, its progress, and the worker with its operation lease.

    | state     | meaning |
    |-----------|-------|
    | pending   | not begun; it may wait for another operation on the same resource |
    | running   | steps before `position` are done |
    | undoing   | failed or cancelled: steps before `position` are still to be undone, last first |
    | succeeded, failed, cancelled | ended; `error` has the reason of a failure |

    `steps` has one entry per step that was begun: {name, state, attempts, started_at, finished_at, message, tries}, and
    `tries` the errors of its tries: {state, message, times, first_at, last_at}.
    A worker owns the row while it holds `lease_token` and `lease_expires_at` has not passed. `due_at`: time of the next
    try. `resource_name`: name of the resource at the time of the request. `args`: facts that the workflow needs, fixed
    at that time too: ids are chosen before the first step, so a repeated step finds what the first try made.
    `traceparent`: of the request, when that was traced. `retry_of`: the failed operation that this one retries; there,
    `retried_by` names the last operation retry. `paused_at`: start of the pause by maintenance. `deadline_at`: end of
    the time allowed for its kind, counted from its beginning; the wait before that does not count.
    `abandoned_node_id`: the node that an operator has abandoned for this operation (workflows/force_finish.py); its
    steps make no call to that node. `queue`: the one that carries it out (queues.py).
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
    queue = models.CharField(max_length=16, default=OPERATIONS, db_default=OPERATIONS, db_column="lane")
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
    abandoned_node_id = models.UUIDField(null=True, db_column="given_up_node_id")
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
            models.Index(fields=["queue", "project", "due_at"], condition=Q(state__in=LIVE), name="operations_by_turn"),
            models.Index(fields=["project", "created_at"], name="operations_by_project"),
            models.Index(fields=["created_at"], name="operations_by_age"),
            GinIndex(fields=["resource_ids"], name="operations_by_resource"),
        ]

    @property
    def limit(self) -> timedelta:
        """Return the time allowed."""
        return self.deadline_at - (self.started_at or self.created_at)


class ResourceLock(models.Model):
    """Resource lock of a live operation: at most one per resource, by primary key."""

    resource_id = models.UUIDField(primary_key=True)
    operation = models.ForeignKey(Operation, models.CASCADE)

    class Meta:
        db_table = "operations_operationhold"

    def __str__(self) -> str:
        return f"{self.resource_id} held by {self.operation_id}"


# In order of strictness.
ACTIONS = ("accept", "pause", "reject")


class MaintenanceRule(BaseModel):
    """Maintenance rule for a class of operations, in force from `begins_at` until `ends_at`, if that is known.

    `pattern`: a kind of operation, all kinds of a noun (`volume.*`), or `*`. `zone`, `node_id`: limits the rule to
    resources there.
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
