from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from controlplane.events.models import Event
from controlplane.identity.models import ProjectResource
from controlplane.kernel.db import BaseModel
from controlplane.kernel.states import machine

# Back to pending: a user requested a redelivery.
DELIVERY = machine(
    "delivery",
    {"pending": "succeeded failed", "succeeded": "pending", "failed": "pending"},
)


class Trouble(models.TextChoices):
    """Reason why the platform disabled a webhook."""

    FAILING = "failing"
    GONE = "gone"
    UNREADABLE = "unreadable"


class Webhook(ProjectResource, BaseModel):
    """A receiver of a project's events. It gets the events committed after the position `begins_after`.

    `secret` and `previous_secret` are encrypted (kernel/encryption.py). While `previous_ends_at` lies ahead, both sign.
    One worker sends at a time: it holds `lease_token` until `lease_expires_at`.
    """

    url = models.CharField(max_length=2000)
    kinds = ArrayField(models.CharField(max_length=64))
    is_enabled = models.BooleanField(default=True)
    trouble = models.CharField(max_length=16, choices=Trouble, blank=True)
    trouble_at = models.DateTimeField(null=True)
    secret = models.BinaryField()
    previous_secret = models.BinaryField(null=True)
    previous_ends_at = models.DateTimeField(null=True)
    begins_after = models.BigIntegerField(default=0)
    lease_token = models.UUIDField(null=True)
    lease_expires_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "name"], name="webhooks_webhook_name_taken"),
            models.CheckConstraint(condition=Q(trouble="") | Q(is_enabled=False), name="webhooks_trouble_disables"),
        ]


class Delivery(BaseModel):
    """One event for one webhook.

    | state     | meaning |
    |-----------|-------|
    | pending   | the next attempt is due at `due_at` |
    | succeeded | the receiver accepted the event |
    | failed    | cancelled after the last attempt |

    `attempts`: the last attempts, {at, status_code, duration_ms, error}. `tries`: attempts since it became pending.
    """

    webhook = models.ForeignKey(Webhook, models.CASCADE)
    event = models.ForeignKey(Event, models.CASCADE)
    state = models.CharField(max_length=16, default=DELIVERY.initial)
    attempts = models.JSONField(default=list)
    tries = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["webhook", "event"], name="webhooks_delivery_once"),
            models.CheckConstraint(condition=Q(state__in=list(DELIVERY.moves)), name="webhooks_delivery_state"),
        ]
        indexes = [
            models.Index(fields=["webhook", "due_at"], condition=Q(state="pending"), name="webhooks_due"),
            models.Index(fields=["webhook", "created_at"], name="webhooks_log"),
        ]


class FanOut(models.Model):
    """One row: the position in the feed up to which deliveries were created."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    position = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="webhooks_fanout_once")]

    def __str__(self) -> str:
        return f"fan-out at {self.position}"
