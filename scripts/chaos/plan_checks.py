"""Checks of compliance and of remediation plans, for the judge, when the policies admit all zones again."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from controlplane.compliance.models import Compliance, ImageCopy, RemediationItem, RemediationPlan
from controlplane.operations.models import LIVE, Operation
from controlplane.reconcilers.remediation import AT_ONCE, DRIFTED

REASON = "remediation plan "  # of the operations that a plan begins


def plans() -> list[str]:
    """Check that nothing is drifted and each plan has ended, with its items; a plan begins few operations at a time,
    and only for its own resources.
    """
    rows = [*Compliance.objects.filter(state__in=DRIFTED), *ImageCopy.objects.filter(state__in=DRIFTED)]
    findings = [f"{row.kind} {row.resource_id} is {row.state}, and its zone is admitted" for row in rows]
    findings += [
        f"plan {row.pk} is {row.state} and {row.execution}, and nothing is drifted"
        for row in RemediationPlan.objects.exclude(state__in=("done", "withdrawn"), execution="idle")
    ]
    live = set(Operation.objects.filter(state__in=LIVE).values_list("pk", flat=True))
    moving = RemediationItem.objects.filter(state="moving")
    findings += [
        f"item {row.order} of plan {row.plan_id} is moving, and its operation has ended"
        for row in moving
        if row.operation_id not in live
    ]
    done = RemediationItem.objects.filter(plan__state="done").exclude(state="done")
    findings += [f"item {row.order} of plan {row.plan_id}, which is done, is {row.state}" for row in done]
    return findings + [line for plan in RemediationPlan.objects.all() for line in _operations_of(plan)]


def begun_by_plans() -> set[UUID]:
    """Return the operations that plans have begun; no user was told of them."""
    rows = Operation.objects.filter(reason__startswith=REASON, retry_of=None)
    return set(rows.values_list("pk", flat=True))


def _operations_of(plan: RemediationPlan) -> Iterable[str]:
    rows = Operation.objects.filter(reason=f"{REASON}{plan.pk}", retry_of=None).order_by("created_at")
    zones = {(item["kind"], UUID(item["resource_id"])): item["zone"] for item in plan.items}
    for row in rows:
        kind = row.kind.partition(".")[0]
        zone = zones.get((kind, row.resource_id))
        if zone is None or zone == row.args["zone"]:
            yield f"plan {plan.pk} has begun {row.kind} of {row.resource_id} to {row.args['zone']} from {zone}"
    spans = [(row.created_at, row.finished_at) for row in rows]
    if (most := most_at_once(spans)) > AT_ONCE:
        yield f"plan {plan.pk} has had {most} operations at once"


def most_at_once(spans: Sequence[tuple[datetime, datetime | None]]) -> int:
    """Return how many of these spans of time there are at once, at most. None: it has not ended."""
    counts = (sum(begin <= at and (end is None or at < end) for begin, end in spans) for at, _ in spans)
    return max(counts, default=0)
