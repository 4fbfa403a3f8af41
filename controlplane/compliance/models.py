from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from controlplane.identity.models import Project
from controlplane.kernel.db import BaseModel
from controlplane.kernel.ids import new_id
from controlplane.kernel.states import machine
from controlplane.nodes.models import Node

COMPLIANCE = machine(
    "compliance",
    {
        "compliant": "at-risk drifted exempted",
        "at-risk": "compliant drifted exempted",
        "drifted": "compliant at-risk remediating exempted",
        "remediating": "compliant at-risk drifted exempted",
        "exempted": "compliant at-risk drifted",
    },
)


class Watched(models.Model):
    """Whether some data may still be where it is, as of the last sweep.

    | state       | means |
    |-------------|-------|
    | compliant   | its place satisfies its policies, and will for the longest warning time |
    | at-risk     | it does, and from `fails_at` on it will not unless a fact changes |
    | drifted     | it does not; since `since` |
    | remediating | it does not, and an approved plan says what happens |
    | exempted    | it does not, and two people allowed that until `fails_at` |

    `failing`: the clauses that do not hold (at `fails_at`, when it is only at risk). `warned_days`: the shortest
    warning that was given. `since`: when the state began, as when a fact ended or a policy changed; `noticed_at`: when
    a sweep saw it, null of a state that began before that was kept. Nothing is ever stopped by this: `action` says what
    its classifications ask for.
    """

    kind = models.CharField(max_length=16)
    project = models.ForeignKey(Project, models.PROTECT)
    node = models.ForeignKey(Node, models.PROTECT)
    zone = models.CharField(max_length=63)
    state = models.CharField(max_length=16)
    since = models.DateTimeField()
    noticed_at = models.DateTimeField(null=True)
    fails_at = models.DateTimeField(null=True)
    failing = models.JSONField(default=list)
    warned_days = models.PositiveSmallIntegerField(null=True)
    action = models.CharField(max_length=16, default="flag")
    checked_at = models.DateTimeField()
    resource_id: Any

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.kind} {self.resource_id} is {self.state}"


class Compliance(Watched):
    """One row per resource that has a place."""

    resource_id = models.UUIDField(primary_key=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(state__in=COMPLIANCE.moves), name="compliance_state")]
        indexes = [models.Index(fields=["project", "state"])]


class ImageCopy(Watched):
    """One row per private image and node that has said that it has the image's bytes in its cache. It is there from
    when the control plane heard of it; the state is right from the next sweep on."""

    id = models.UUIDField(primary_key=True, default=new_id)
    resource_id = models.UUIDField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["resource_id", "node"], name="compliance_imagecopy_once"),
            models.CheckConstraint(condition=Q(state__in=COMPLIANCE.moves), name="compliance_imagecopy_state"),
        ]
        indexes = [models.Index(fields=["project", "state"])]


class Sweep(models.Model):
    """One row: what the last sweep rested on, and when something may change by itself."""

    id = models.PositiveSmallIntegerField(primary_key=True)
    facts_epoch = models.PositiveBigIntegerField(default=0)
    policies_mark = models.PositiveBigIntegerField(default=0)
    placed_mark = models.PositiveBigIntegerField(default=0)
    exempted_mark = models.PositiveBigIntegerField(default=0)
    due_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="compliance_sweep_is_one_row")]

    def __str__(self) -> str:
        return f"swept at facts epoch {self.facts_epoch}"


PLAN = machine(
    "remediation-plan",
    {"proposed": "approved withdrawn done", "approved": "done withdrawn", "done": "", "withdrawn": ""},
)


class RemediationPlan(BaseModel):
    """What can be done about the resources of a project that have drifted: for each copy where it may go, in what order
    and until when. It is computed from the fleet as it was; whoever acts on an item decides anew.

    | state     | means |
    |-----------|-------|
    | proposed  | waits for the project |
    | approved  | somebody of the project took it on |
    | done      | nothing of it has drifted any more |
    | withdrawn | was given up, or replaced by a newer plan |

    `items`: {resource_id, kind, zone, failing, targets: [{zone, nodes}], order, deadline_at}. The `deadline_at` of the
    whole is the last of theirs. Who has to see to it is not kept, but looked up whenever somebody asks.
    """

    project = models.ForeignKey(Project, models.PROTECT)
    state = models.CharField(max_length=16, default=PLAN.initial)
    items = models.JSONField()
    resource_ids = ArrayField(models.UUIDField())
    notify_by = models.DateTimeField()
    deadline_at = models.DateTimeField()
    approved_by = models.UUIDField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(state__in=PLAN.moves), name="compliance_plan_state"),
            models.UniqueConstraint(
                fields=["project"],
                condition=Q(state__in=["proposed", "approved"]),
                name="compliance_one_live_plan_per_project",
            ),
        ]
