"""Look at everything that has a place: does the place still satisfy its policies, and until when will it?

A sweep is due when a fact, a policy or a place has changed, at the first moment at which something may change by
itself, and hourly. It reads rows and writes what it found; nothing is stopped, moved or removed by it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Max, Sum

from controlplane.audit.evidence import append
from controlplane.audit.services import record
from controlplane.catalog import epochs
from controlplane.catalog import selectors as catalog
from controlplane.compliance.models import Compliance, Sweep
from controlplane.identity.actor import SYSTEM
from controlplane.kernel import clock
from controlplane.placement import effective, exemptions
from controlplane.placement.core.evaluate import AtomResult
from controlplane.placement.core.facts import World
from controlplane.placement.core.outlook import Outlook, outlook
from controlplane.placement.core.policy import MAX_ATOMS_EFFECTIVE, AtomRef, Policy
from controlplane.placement.core.roles import ROLES_OF
from controlplane.placement.models import DRIFT_ACTIONS, Allocation, Binding, Classification, PolicyHead
from controlplane.placement.standing import STANDING_OPERATION, clauses

AT_LATEST = timedelta(hours=1)
BATCH = 1000  # rows per statement
# In the place of a clause: of what cannot be evaluated nobody knows that it may be there.
CANNOT_BE_EVALUATED = AtomResult(
    AtomRef("-", "lineage", "-"), "U", "TOO_MANY_ATOMS", f"more than {MAX_ATOMS_EFFECTIVE} clauses hold together"
)


@dataclass(frozen=True)
class Mark:
    """What a sweep rests on; another one is due when it differs."""

    facts_epoch: int
    policies_mark: int
    placed_mark: int


@dataclass
class Found:
    """What is told of: resources whose state has changed, and those that were warned of."""

    changed: list[Compliance] = field(default_factory=list)
    warned: list[Compliance] = field(default_factory=list)


def sweep_if_due() -> Found | None:
    """Sweep when something has changed or may have; None when nothing has. Two at once do the work once."""
    with transaction.atomic():
        last = Sweep.objects.select_for_update(skip_locked=True).filter(pk=1).first()
        if last is None:
            return None
        now, mark = clock.now(), _mark()
        is_same = mark == Mark(last.facts_epoch, last.policies_mark, last.placed_mark)
        if is_same and last.due_at is not None and now < last.due_at:
            return None
        found, due_at = _sweep(now)
        Sweep.objects.filter(pk=1).update(due_at=due_at, **vars(mark))
    return found


def _mark() -> Mark:
    """Sums only grow: no change of any row leaves them as they were."""
    placed = Allocation.objects.aggregate(newest=Max("created_at"))["newest"]
    return Mark(
        facts_epoch=epochs.current(),
        policies_mark=PolicyHead.objects.aggregate(total=Sum("version"))["total"] or 0,
        placed_mark=int(placed.timestamp() * 1e6) if placed else 0,
    )


def _sweep(now: datetime) -> tuple[Found, datetime]:
    world = catalog.world()
    known = {row.pk: row for row in Compliance.objects.all()}
    allocations = list(Allocation.objects.select_related("node", "project").order_by("pk"))
    Compliance.objects.exclude(pk__in=[allocation.consumer_id for allocation in allocations]).delete()
    judge = _Judge(world, now, [allocation.consumer_id for allocation in allocations])
    found = Found()
    rows = [_row(allocation, judge, now) for allocation in allocations]
    for row in rows:
        _go_on_from(row, known.get(row.pk))
    _write(rows)
    for row in rows:
        _tell_news(row, known.get(row.pk), found)
    boundaries = [now + AT_LATEST, *(moment for moment in judge.boundaries if moment > now)]
    return found, min(boundaries)


class _Judge:
    """Each set of policies is followed once per zone, however many resources have it."""

    def __init__(self, world: World, now: datetime, resource_ids: list[UUID]) -> None:
        self.world, self.now = world, now
        self.policies = effective.of_many(resource_ids)
        self.actions = _actions(resource_ids)
        self.seen: dict[tuple[tuple[Policy, ...], str, str], Outlook] = {}
        self.boundaries: list[datetime] = []

    def outlook(self, allocation: Allocation) -> Outlook:
        policies = self.policies.get(allocation.consumer_id)
        if policies is None:
            return Outlook("drifted", self.now, (CANNOT_BE_EVALUATED,))
        key = (policies, allocation.node.zone_id, allocation.kind)
        if key not in self.seen:
            zone = self.world.zones.get(allocation.node.zone_id)
            roles = ROLES_OF[STANDING_OPERATION[allocation.kind]]
            seen = outlook(policies, zone, self.world, now=self.now, roles=roles)
            self.seen[key] = seen
            if seen.fails_at is not None:
                self.boundaries.append(seen.fails_at)
        return self.seen[key]


def _actions(resource_ids: list[UUID]) -> dict[UUID, str]:
    """The most severe of what each resource's classifications ask for."""
    actions = dict(Classification.objects.values_list("pk", "drift_action"))
    bindings = Binding.objects.filter(pk__in=resource_ids).values_list("pk", "classifications")
    return {
        pk: max((actions.get(name, "flag") for name in names), key=DRIFT_ACTIONS.index, default="flag")
        for pk, names in bindings
    }


def _row(allocation: Allocation, judge: _Judge, now: datetime) -> Compliance:
    seen = judge.outlook(allocation)
    state: str = seen.state
    operation = STANDING_OPERATION[allocation.kind]
    if state == "drifted" and exemptions.in_force(allocation.consumer_id, operation, now) is not None:
        state = "exempted"
    return Compliance(
        resource_id=allocation.consumer_id,
        kind=allocation.kind,
        project=allocation.project,
        node=allocation.node,
        zone=allocation.node.zone_id,
        state=state,
        since=now,
        fails_at=seen.fails_at,
        failing=clauses(seen.failing),
        warned_days=seen.warning(now),
        action=judge.actions.get(allocation.consumer_id, "flag"),
        checked_at=now,
    )


def _go_on_from(row: Compliance, before: Compliance | None) -> None:
    """A state that goes on has begun when it did, and what is being remedied still is."""
    if before is None:
        return
    if before.state == "remediating" and row.state == "drifted":
        row.state = "remediating"
    if before.state == row.state:
        row.since = before.since
        if before.state == "drifted":
            row.fails_at = before.fails_at


def _write(rows: Sequence[Compliance]) -> None:
    """All at once: a sweep looks at everything, however little has changed."""
    fields = [field.name for field in Compliance._meta.concrete_fields if not field.primary_key]
    Compliance.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["resource_id"], update_fields=fields, batch_size=BATCH
    )


def _tell_news(row: Compliance, before: Compliance | None, found: Found) -> None:
    """A change of state, or a new warning."""
    was = before.state if before is not None else "compliant"
    if was != row.state:
        found.changed.append(row)
        _tell(row, was)
    elif row.warned_days is not None and (before is None or row.warned_days != before.warned_days):
        found.warned.append(row)
        _tell(row, was)


def _tell(row: Compliance, was: str) -> None:
    facts = {
        "was": was,
        "state": row.state,
        "zone": row.zone,
        "fails_at": row.fails_at.isoformat() if row.fails_at else None,
        "warned_days": row.warned_days,
        "failing": row.failing,
        "action": row.action,
    }
    record(SYSTEM, "drift", row.resource_id, project_id=row.project_id, **facts)
    append(
        "drift",
        {"resource": str(row.resource_id), "kind": row.kind, "node": str(row.node_id), **facts},
        organization_id=row.project.organization_id,
        project_id=row.project_id,
        resource_id=row.resource_id,
    )
