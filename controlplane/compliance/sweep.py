"""Compliance sweep: checks for everything with a location whether it satisfies its policies, and until when.

A sweep is due when a fact, a policy, an allocation or an exemption has changed, at the first moment of a forecast
change, and hourly. It reads rows and writes its findings; it stops, moves or removes nothing. It works in batches: its
memory use does not grow with the cloud.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, TypeVar
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, QuerySet, Sum, Value

from andromede_core.documents.parsing import as_rfc3339
from andromede_core.facts.world import World
from andromede_core.policy.clauses import MAX_CLAUSES_EFFECTIVE, ClauseRef, Policy, Role
from andromede_core.policy.evaluation import ClauseResult, Evaluation, waive
from andromede_core.policy.forecast import Forecast, forecast
from andromede_core.policy.roles import ROLES_OF
from controlplane.audit.evidence_log import append
from controlplane.audit.services import record
from controlplane.catalog import epochs
from controlplane.catalog import selectors as catalog
from controlplane.compliance.drift_onset import DriftOnset
from controlplane.compliance.models import Compliance, ImageCopy, LocationCompliance, Sweep
from controlplane.identity.actor import SYSTEM, Actor
from controlplane.identity.models import Project
from controlplane.kernel import clock
from controlplane.placement import effective_policies, exemptions
from controlplane.placement.copies import copy_sources
from controlplane.placement.drift_clauses import STANDING_OPERATION, failed_clauses
from controlplane.placement.effective_policies import PolicySubject
from controlplane.placement.models import (
    DRIFT_ACTIONS,
    Binding,
    Classification,
    Exemption,
    PolicyHead,
)
from controlplane.placement.selectors import classifications_of, current_allocations

AT_LATEST = timedelta(hours=1)
BATCH = 1000  # rows at a time
NOT_ADMISSIBLE = ("drifted", "remediating", "exempted")
# Digest of all locations: it differs after every addition, move or removal, in any order of commits.
PLACED = """
SELECT coalesce(bit_xor(hashtextextended(resource_id::text || node_id::text, 0)), 0) & 9223372036854775807 FROM (
    SELECT consumer_id, node_id FROM placement_allocation WHERE moving_id IS NULL
    UNION ALL SELECT resource_id, node_id FROM compliance_imagecopy
    {}
) AS placed (resource_id, node_id)
"""
IMAGE_ROLES: tuple[Role, ...] = ("image",)
W = TypeVar("W", bound=LocationCompliance)
# Stands for a clause: a resource whose policies cannot be evaluated counts as not admitted.
CANNOT_BE_EVALUATED = ClauseResult(
    ClauseRef("-", "lineage", "-"), "U", "TOO_MANY_ATOMS", f"more than {MAX_CLAUSES_EFFECTIVE} clauses hold together"
)


@dataclass(frozen=True)
class Mark:
    """Inputs of a sweep; another sweep is due when they differ."""

    facts_epoch: int
    policies_mark: int
    placed_mark: int
    exempted_mark: int


@dataclass
class SweepChanges:
    """Changes to report: resources whose state has changed, and those with a new warning."""

    changed: list[LocationCompliance] = field(default_factory=list)
    warned: list[LocationCompliance] = field(default_factory=list)


@dataclass(frozen=True)
class DataLocation:
    """Location of data. `key`: of the row with its compliance."""

    key: UUID
    resource_id: UUID
    kind: str
    project: Project
    node_id: UUID
    zone: str

    @property
    def roles(self) -> tuple[Role, ...]:
        """Return the roles in which the location holds the data."""
        return IMAGE_ROLES if self.kind == "image" else ROLES_OF[STANDING_OPERATION[self.kind]]


def sweep_if_due() -> SweepChanges | None:
    """Sweep when an input has changed or may have; None when none has. Of two concurrent callers one works.

    The plans are due from its commit on: plans.plans_update_if_due().
    """
    with transaction.atomic():
        last = Sweep.objects.select_for_update(skip_locked=True).filter(pk=1).first()
        if last is None:
            return None
        now, mark = clock.now(), _mark()
        is_same = mark == Mark(last.facts_epoch, last.policies_mark, last.placed_mark, last.exempted_mark)
        if is_same and last.due_at is not None and now < last.due_at:
            return None
        changes, due_at = _sweep(now)
        Sweep.objects.filter(pk=1).update(due_at=due_at, plans_are_due=True, **vars(mark))
    return changes


def _mark() -> Mark:
    """Return the inputs. Sums and counts only grow: every change of a row changes them."""
    return Mark(
        facts_epoch=epochs.current(),
        policies_mark=PolicyHead.objects.aggregate(total=Sum("version"))["total"] or 0,
        placed_mark=_placed_mark(),
        exempted_mark=exemptions.agreed_count(),
    )


def _placed_mark() -> int:
    copies = [source.rows().values_list("pk", f"{source.node}_id").query.sql_with_params() for source in copy_sources]
    with connection.cursor() as cursor:
        cursor.execute(
            PLACED.format(" ".join(f"UNION ALL {sql}" for sql, _ in copies)),
            [parameter for _, parameters in copies for parameter in parameters],
        )
        mark: int = cursor.fetchone()[0]
    return mark


def _sweep(now: datetime) -> tuple[SweepChanges, datetime]:
    judge, changes = _Judge(catalog.world(), now), SweepChanges(changed=delete_watched(_without_a_place()))
    for part in _in_parts(current_allocations(), key="consumer_id", resource_id="consumer_id", kind="kind"):
        _evaluate(Compliance, part, judge, changes)
    for source in copy_sources:
        for part in _in_parts(source.rows(), key="pk", resource_id="pk", kind=Value(source.kind), node=source.node):
            _evaluate(Compliance, part, judge, changes)
    for part in _in_parts(ImageCopy.objects.all(), key="pk", resource_id="resource_id", kind=Value("image")):
        _evaluate(ImageCopy, part, judge, changes)
    return changes, min([now + AT_LATEST, *(moment for moment in judge.boundaries if moment > now)])


def _without_a_place() -> list[LocationCompliance]:
    placed = current_allocations().filter(consumer_id=OuterRef("pk"))
    copies = [~Exists(source.rows().filter(pk=OuterRef("pk"))) for source in copy_sources]
    return list(Compliance.objects.filter(~Exists(placed), *copies).select_related("project").order_by("pk"))


def _in_parts(
    rows: QuerySet[Any], *, key: str, resource_id: str, kind: str | Value, node: str = "node"
) -> Iterator[list[DataLocation]]:
    """Yield the locations of these rows in batches. `node`: the lookup of their node."""
    locations = rows.order_by("pk").values_list(key, resource_id, kind, "project_id", f"{node}_id", f"{node}__zone_id")
    left = locations.iterator(chunk_size=BATCH)
    while part := list(islice(left, BATCH)):
        projects = Project.objects.in_bulk({project for *_, project, _, _ in part})
        yield [
            DataLocation(place_key, resource, what, projects[project], node, zone)
            for place_key, resource, what, project, node, zone in part
        ]


def _evaluate(model: type[W], part: Sequence[DataLocation], judge: "_Judge", changes: SweepChanges) -> None:
    judge.learn(part)
    rows_by_key = model._default_manager.in_bulk([location.key for location in part])
    rows = [model(pk=location.key, **_judged(location, judge)) for location in part]
    for location, row in zip(part, rows, strict=True):
        before = rows_by_key.get(row.pk)
        if before is not None:
            _go_on_from(row, before)
            if _has_drifted(row, before):
                row.since = row.fails_at = judge.drifted_since(location, before)
    _write(model, rows)
    for row in rows:
        _publish_changes(row, rows_by_key.get(row.pk), changes)


class _Judge:
    """Evaluation of policies: each set of policies is evaluated once per zone, for any number of resources."""

    def __init__(self, world: World, now: datetime) -> None:
        self.world, self.now = world, now
        self.policies: dict[UUID, tuple[Policy, ...]] = {}
        self.actions: dict[UUID, str] = {}
        self.seen: dict[tuple[tuple[Policy, ...], str, tuple[Role, ...]], Forecast] = {}
        self.boundaries: list[datetime] = []
        self.drift_onset = DriftOnset(now)
        self.agreed: dict[tuple[UUID, str], list[Exemption]] = {}
        for exemption in exemptions.running(now):
            for resource_id in exemption.resource_ids:
                self.agreed.setdefault((resource_id, exemption.zone), []).append(exemption)

    def learn(self, locations: Sequence[DataLocation]) -> None:
        """Load the policies of these resources, in place of the former ones."""
        subjects = {
            location.resource_id: PolicySubject(location.project, location.resource_id) for location in locations
        }
        self.policies = effective_policies.for_placed_subjects(subjects)
        self.actions = _actions(list(subjects))

    def forecast(self, location: DataLocation) -> Forecast:
        policies = self.policies.get(location.resource_id)
        if policies is None:
            return Forecast("drifted", self.now, (CANNOT_BE_EVALUATED,))
        key = (policies, location.zone, location.roles)
        if key not in self.seen:
            zone = self.world.zones.get(location.zone)
            prediction = forecast(policies, zone, self.world, now=self.now, roles=location.roles)
            self.seen[key] = prediction
            if prediction.fails_at is not None:
                self.boundaries.append(prediction.fails_at)
        return self.seen[key]

    def drifted_since(self, location: DataLocation, before: LocationCompliance) -> datetime:
        """Return since when the location has drifted.

        A forecast failure began at its time; any other one began when a fact or a policy changed after the last sweep.
        """
        failing = self.forecast(location).failing
        if _was_foreseen(failing, before, self.now):
            assert before.fails_at is not None
            return before.fails_at
        policies = self.policies.get(location.resource_id)
        if policies is None:
            return self.now
        return self.drift_onset.find(policies, location.zone, location.roles, failing, after=before.checked_at)

    def exempted_until(self, location: DataLocation, failing: Sequence[ClauseResult]) -> datetime | None:
        """Return the end of the last exemption that waives all failing clauses, for any operation and after any number
        of uses; None: there is none.
        """
        evaluation, resource_id = Evaluation(tuple(failing), None), location.resource_id
        policies = self.policies.get(resource_id, ())
        agreed = self.agreed.get((resource_id, location.zone), [])
        names = classifications_of([resource_id]).get(resource_id, []) if agreed else []
        ends = [
            exemption.expires_at
            for exemption in agreed
            if waive(evaluation, policies, exemption.waived).admits
            and exemptions.is_valid_for(exemption, resource_id, classifications=names, now=self.now)
        ]
        self.boundaries += ends
        return max(ends, default=None)


def _actions(resource_ids: list[UUID]) -> dict[UUID, str]:
    """Return the most severe drift action of each resource's classifications."""
    actions = dict(Classification.objects.values_list("pk", "drift_action"))
    bindings = Binding.objects.filter(pk__in=resource_ids).values_list("pk", "classifications")
    return {
        pk: max((actions.get(name, "flag") for name in names), key=DRIFT_ACTIONS.index, default="flag")
        for pk, names in bindings
    }


def _judged(location: DataLocation, judge: _Judge) -> dict[str, Any]:
    """Return the fields of the row."""
    now = judge.now
    prediction = judge.forecast(location)
    until = judge.exempted_until(location, prediction.failing) if prediction.state == "drifted" else None
    return {
        "resource_id": location.resource_id,
        "kind": location.kind,
        "project": location.project,
        "node_id": location.node_id,
        "zone": location.zone,
        "state": "exempted" if until else prediction.state,
        "since": now,
        "noticed_at": now,
        "fails_at": until or prediction.fails_at,
        "failing": failed_clauses(prediction.failing),
        "warned_days": prediction.warning(now),
        "action": judge.actions.get(location.resource_id, "flag"),
        "checked_at": now,
    }


def _go_on_from(row: LocationCompliance, before: LocationCompliance) -> None:
    """Keep the beginning and detection time of an unchanged state; remediation also continues."""
    if before.state == "remediating" and row.state == "drifted":
        row.state = "remediating"
    if before.state == row.state:
        row.since, row.noticed_at = before.since, before.noticed_at
        if row.state in ("drifted", "remediating"):
            row.fails_at = before.fails_at


def _has_drifted(row: LocationCompliance, before: LocationCompliance) -> bool:
    return row.state == "drifted" and before.state != "drifted"


def _was_foreseen(failing: Sequence[ClauseResult], before: LocationCompliance, now: datetime) -> bool:
    if before.state not in ("at-risk", "exempted") or before.fails_at is None or before.fails_at > now:
        return False
    return any(clause in before.failing for clause in failed_clauses(failing))


def delete_watched(gone: Sequence[LocationCompliance]) -> list[LocationCompliance]:
    """Delete the rows of resources without a location; for drifted ones the end of the drift is reported.

    Returns the latter.
    """
    recorded = []
    for row in gone:
        type(row)._default_manager.filter(pk=row.pk).delete()
        if row.state in NOT_ADMISSIBLE:
            was, row.state = row.state, "evicted"
            record_drift(SYSTEM, row, was)
            recorded.append(row)
    return recorded


def _write(model: type[W], rows: Sequence[W]) -> None:
    """Write each row: a sweep checks everything, even if little has changed."""
    key = model._meta.pk.name
    fields = [field.name for field in model._meta.concrete_fields if field.name != key]
    model._default_manager.bulk_create(rows, update_conflicts=True, unique_fields=[key], update_fields=fields)


def _publish_changes(row: LocationCompliance, before: LocationCompliance | None, changes: SweepChanges) -> None:
    """Report a change of state, or a new warning."""
    was = before.state if before is not None else "compliant"
    if was != row.state:
        changes.changed.append(row)
        record_drift(SYSTEM, row, was)
    elif row.warned_days is not None and (before is None or row.warned_days != before.warned_days):
        changes.warned.append(row)
        record_drift(SYSTEM, row, was)


def record_drift(actor: Actor, row: LocationCompliance, was: str) -> None:
    """Record compliance drift in the audit log of the project, and in the evidence of the organization."""
    facts = {
        "was": was,
        "state": row.state,
        "zone": row.zone,
        "since": as_rfc3339(row.since),
        "noticed_at": as_rfc3339(row.noticed_at) if row.noticed_at else None,
        "fails_at": row.fails_at.isoformat() if row.fails_at else None,
        "warned_days": row.warned_days,
        "failing": row.failing,
        "action": row.action,
    }
    record(actor, "drift", row.resource_id, project_id=row.project_id, **facts)
    append(
        "drift",
        {"resource": str(row.resource_id), "kind": row.kind, "node": str(row.node_id), **facts},
        organization_id=row.project.organization_id,
        project_id=row.project_id,
        resource_id=row.resource_id,
    )
