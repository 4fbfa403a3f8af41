from django.db import models

from controlplane.kernel import clock
from controlplane.kernel.ids import new_id


class Event(models.Model):
    """A published change. Written in the transaction of the change, and immutable except for its position.

    `number` grows in the order of writing, `position` in the order of commits: assign_positions() sets it once the row
    is committed, so that no row appears before one that was read. An event without a project is about an organization,
    or about the platform. `data` has what its kind allows (kinds.py): nothing secret, and no content of guests.
    """

    number = models.BigAutoField(primary_key=True)
    id = models.UUIDField(default=new_id, unique=True, editable=False)
    position = models.BigIntegerField(null=True)
    kind = models.CharField(max_length=64)
    project_id = models.UUIDField(null=True)
    organization_id = models.UUIDField(null=True)
    resource_kind = models.CharField(max_length=32)
    resource_id = models.UUIDField()
    resource_name = models.CharField(max_length=63, blank=True)
    operation_id = models.UUIDField(null=True)
    user_id = models.UUIDField(null=True)
    credential_id = models.UUIDField(null=True)
    request_id = models.CharField(max_length=64, blank=True)
    data = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["position"], name="events_event_position_once")]
        indexes = [
            models.Index(fields=["number"], condition=models.Q(position=None), name="events_unplaced"),
            models.Index(fields=["project_id", "position"], name="events_by_project"),
            models.Index(fields=["resource_id", "position"], name="events_by_resource"),
            models.Index(fields=["created_at"], name="events_by_age"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.resource_id}"


class Head(models.Model):
    """One row: the last `position` that was assigned, and the last one that was `forgotten` (deleted).

    The process that assigns positions locks the row until the commit.
    """

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    position = models.BigIntegerField(default=0)
    forgotten = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="events_head_once")]

    def __str__(self) -> str:
        return f"head {self.position}"
