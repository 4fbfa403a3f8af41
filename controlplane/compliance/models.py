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


class LocationCompliance(models.Model):
    """Compliance of a data location, as of the last sweep.

    | state       | meaning |
    |-------------|-------|
    | compliant   | the location satisfies the policies, and will for the longest warning time |
    | at-risk     | satisfied now, but not from `fails_at` on, unless a fact changes |
    | drifted     | not satisfied since `since` |
    | remediating | not satisfied, with an approved remediation plan |
    | exempted    | not satisfied, with an exemption until `fails_at` |

    `failing`: the failing clauses (at `fails_at`, when only at risk). `warned_days`: the latest warning. `since`: when
    the state began, as when a fact ended or a policy changed; `noticed_at`: when a sweep detected it, null for a state
    that began before this was recorded. No guest is stopped by this: `action` is the drift action of the
    classifications.
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


class Compliance(LocationCompliance):
    """Compliance of one resource with an allocation, or of a copy in the place of another one."""

    resource_id = models.UUIDField(primary_key=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(state__in=COMPLIANCE.moves), name="compliance_state")]
        indexes = [models.Index(fields=["project", "state"])]


class ImageCopy(LocationCompliance):
    """Compliance of a private image's copy in a node's cache, created by the node's report.

    The state is right from the next sweep on.
    """

    id = models.UUIDField(primary_key=True, default=new_id)
    resource_id = models.UUIDField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["resource_id", "node"], name="compliance_imagecopy_once"),
            models.CheckConstraint(condition=Q(state__in=COMPLIANCE.moves), name="compliance_imagecopy_state"),
        ]
        indexes = [models.Index(fields=["project", "state"])]


class Sweep(models.Model):
    """One row: the inputs of the last sweep, and the time of the next forecast change.

    `plans_are_due`: the plans are older than the sweep.
    """

    id = models.PositiveSmallIntegerField(primary_key=True)
    facts_epoch = models.PositiveBigIntegerField(default=0)
    policies_mark = models.PositiveBigIntegerField(default=0)
    placed_mark = models.PositiveBigIntegerField(default=0)
    exempted_mark = models.PositiveBigIntegerField(default=0)
    due_at = models.DateTimeField(null=True)
    plans_are_due = models.BooleanField(default=True, db_default=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="compliance_sweep_is_one_row")]

    def __str__(self) -> str:
        return f"swept at facts epoch {self.facts_epoch}"


PLAN = machine(
    "remediation-plan",
    {"proposed": "approved withdrawn done", "approved": "done withdrawn", "done": "", "withdrawn": ""},
)
EXECUTION = machine(
    "remediation-execution", {"idle": "running", "running": "paused idle", "paused": "running idle"}, field="execution"
)
PLAN_ITEM = machine(
    "remediation-item",
    {"waiting": "moving stays done", "moving": "waiting stays done", "stays": "waiting moving done", "done": ""},
)


class RemediationPlan(BaseModel):
    """Plan for the drifted resources of a project: the possible zones of each copy, the order, and the deadline.

    It is computed from the fleet at that time; an action on an item makes a new placement decision.

    | state     | meaning |
    |-----------|-------|
    | proposed  | waits for the project |
    | approved  | approved by a member of the project |
    | done      | all its resources have recovered |
    | withdrawn | withdrawn, or replaced by a newer plan |

    `execution`: whether an approved plan is carried out.

    | execution | meaning |
    |-----------|-------|
    | idle      | not begun, or the plan is over |
    | running   | begun by a member (`executed_by`), for whom stopped instances and detached volumes are relocated |
    | paused    | nothing new begins; `pause_reason` (an error as a document) if it paused itself |

    `items`: {resource_id, kind, zone, failing, targets: [{zone, nodes}], order, deadline_at}; RemediationItem has their
    progress. The `deadline_at` of the plan is the last of theirs. The responsible users are not stored, but looked up
    for each response.
    """

    project = models.ForeignKey(Project, models.PROTECT)
    state = models.CharField(max_length=16, default=PLAN.initial)
    items = models.JSONField()
    resource_ids = ArrayField(models.UUIDField())
    notify_by = models.DateTimeField()
    deadline_at = models.DateTimeField()
    approved_by = models.UUIDField(null=True)
    execution = models.CharField(max_length=16, default=EXECUTION.initial, db_default=EXECUTION.initial)
    executed_by = models.UUIDField(null=True)
    executed_credential_id = models.UUIDField(null=True)
    executed_request_id = models.CharField(max_length=64, blank=True, default="", db_default="")
    pause_reason = models.JSONField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(state__in=PLAN.moves), name="compliance_plan_state"),
            models.CheckConstraint(condition=Q(execution__in=EXECUTION.moves), name="compliance_plan_execution"),
            models.UniqueConstraint(
                fields=["project"],
                condition=Q(state__in=["proposed", "approved"]),
                name="compliance_one_live_plan_per_project",
            ),
        ]


class RemediationItem(BaseModel):
    """Progress of an item of an approved plan. Written when the execution begins, or the first resource has recovered.

    | state   | meaning |
    |---------|-------|
    | waiting | not tried yet |
    | moving  | its operation relocates it, or has, and the next sweep confirms that |
    | stays   | it cannot be relocated now, for `reason` (an error as a document); tried again at `next_try_at` |
    | done    | it is not drifted any more |

    `order`: of the plan's item. `operation_id`: its last operation. `tries`: without success, in a row. `next_try_at`
    null: as soon as possible.
    """

    plan = models.ForeignKey(RemediationPlan, models.CASCADE, related_name="progress")
    order = models.PositiveIntegerField()
    resource_id = models.UUIDField()
    kind = models.CharField(max_length=16)
    zone = models.CharField(max_length=63)
    state = models.CharField(max_length=16, default=PLAN_ITEM.initial)
    reason = models.JSONField(null=True)
    operation_id = models.UUIDField(null=True)
    tries = models.PositiveIntegerField(default=0)
    next_try_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(state__in=PLAN_ITEM.moves), name="compliance_item_state"),
            models.UniqueConstraint(fields=["plan", "order"], name="compliance_item_once"),
        ]
        indexes = [
            models.Index(fields=["plan"], condition=Q(state="moving"), name="compliance_items_moving"),
        ]
