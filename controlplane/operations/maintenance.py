"""Maintenance rules: operators accept, pause or reject classes of operations for a while.

A request for a rejected class fails. An operation of a paused class is accepted, and begins when the rule has ended.
Requests read rules from a cache of at most RULES_KEPT_S, so that they cost no query; the worker that is about to begin
an operation reads the database. Running operations continue.
"""

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet

from controlplane.audit.services import record
from controlplane.identity.actor import Actor
from controlplane.kernel import clock
from controlplane.kernel.db import by_id
from controlplane.operations import wakeups
from controlplane.operations.errors import MaintenanceEndsFirst, MaintenanceNotFound, UnderMaintenance
from controlplane.operations.models import ACTIONS, MaintenanceRule, Operation

RULES_KEPT_S = 1.0
RECHECK_DELAY = timedelta(seconds=60)
# Operations that end or stop resources cause no load, and must be possible; and operators evacuate guests before their
# own maintenance or after a failure, and fence lost nodes. Only a rule that names the kind applies to them.
ALWAYS = frozenset(
    {
        "instance.delete",
        "instance.evacuate",
        "instance.migrate",
        "instance.power-off",
        "instance.shutdown",
        "node.fence",
        "snapshot.delete",
        "volume.delete",
    }
)

# Functions that locate resources: ids to the zones and nodes of their allocations. Placement registers itself (its
# apps.py).
location_sources: list[Callable[[Collection[UUID]], Iterable[tuple[str, UUID]]]] = []

_kept: tuple[float, list[MaintenanceRule]] | None = None


@dataclass(frozen=True)
class NewRule:
    """A new rule. `begins_at` None: now. `ends_at` None: until an operator ends it."""

    pattern: str
    action: str
    reason: str
    zone: str = ""
    node_id: UUID | None = None
    begins_at: datetime | None = None
    ends_at: datetime | None = None


def in_force() -> Q:
    now = clock.now()
    return Q(begins_at__lte=now) & (Q(ends_at=None) | Q(ends_at__gt=now))


def rules(actor: Actor) -> QuerySet[MaintenanceRule]:
    """Return the rules; rules about single nodes only for actors who see nodes."""
    return MaintenanceRule.objects.all() if actor.sees_all else MaintenanceRule.objects.filter(node_id=None)


def rule_get(actor: Actor, ref: str) -> MaintenanceRule:
    rule = by_id(rules(actor), ref)
    if rule is None:
        raise MaintenanceNotFound(name=ref)
    return rule


@transaction.atomic
def rule_create(actor: Actor, new: NewRule) -> MaintenanceRule:
    """Create a maintenance rule.

    Raises:
        MaintenanceEndsFirst
    """
    actor.may_operate()
    begins_at = new.begins_at or clock.now()
    if new.ends_at is not None and new.ends_at <= max(begins_at, clock.now()):
        raise MaintenanceEndsFirst(field="ends_at")
    rule = MaintenanceRule.objects.create(
        pattern=new.pattern,
        action=new.action,
        zone=new.zone,
        node_id=new.node_id,
        reason=new.reason,
        begins_at=begins_at,
        ends_at=new.ends_at,
    )
    record(actor, "maintenance.create", rule.pk, pattern=rule.pattern, action=rule.action, reason=rule.reason)
    _changed()
    return rule


@transaction.atomic
def rule_end(actor: Actor, rule: MaintenanceRule) -> MaintenanceRule:
    """End a rule; operations that it paused begin at once. Idempotent."""
    actor.may_operate()
    now = clock.now()
    is_open = Q(ends_at=None) | Q(ends_at__gt=now)
    if MaintenanceRule.objects.filter(is_open, pk=rule.pk).update(ends_at=now, updated_at=now):
        record(actor, "maintenance.end", rule.pk, pattern=rule.pattern, action=rule.action, reason=rule.reason)
        paused = Operation.objects.filter(state="pending", paused_at__isnull=False)
        for operation_id, queue in list(paused.values_list("pk", "queue")):
            transaction.on_commit(partial(wakeups.send, operation_id, queue=queue), robust=True)
        paused.update(due_at=now)
        _changed()
    rule.refresh_from_db()
    return rule


def _changed() -> None:
    """Drop the cached rules: within the transaction for this thread alone, after the commit for the process."""
    forget()
    transaction.on_commit(forget, robust=True)


def admit(kind: str, resource_ids: Sequence[UUID], *, zones: Sequence[str] = ()) -> None:
    """Check an operation request against the rules. Raises UnderMaintenance."""
    rule = _rule_for(_recent(), kind, resource_ids, zones)
    if rule is not None and rule.action == "reject":
        raise UnderMaintenance(kind=kind, reason=rule.reason, retry_after_s=int(recheck_delay(rule).total_seconds()))


def blocking_rule(operation: Operation) -> MaintenanceRule | None:
    """Return the rule that keeps an accepted operation from beginning: one that pauses or by now rejects it."""
    rules_in_force = list(MaintenanceRule.objects.filter(in_force()))
    return _rule_for(rules_in_force, operation.kind, operation.resource_ids, operation.args.get("zones", ()))


def recheck_delay(rule: MaintenanceRule) -> timedelta:
    """Return the delay until the next check."""
    left = rule.ends_at - clock.now() if rule.ends_at else RECHECK_DELAY
    return min(max(left, timedelta(seconds=1)), RECHECK_DELAY)


def forget() -> None:
    """Drop the rules that this process has cached."""
    global _kept
    _kept = None


def _recent() -> list[MaintenanceRule]:
    global _kept
    kept = _kept
    if kept is None or time.monotonic() - kept[0] > RULES_KEPT_S:
        not_over = Q(ends_at=None) | Q(ends_at__gt=clock.now())
        _kept = kept = time.monotonic(), list(MaintenanceRule.objects.filter(not_over))
    now = clock.now()
    return [each for each in kept[1] if each.begins_at <= now and (each.ends_at is None or each.ends_at > now)]


def _rule_for(
    rules_in_force: Iterable[MaintenanceRule], kind: str, resource_ids: Sequence[UUID], zones: Sequence[str]
) -> MaintenanceRule | None:
    """Return the most specific rule that applies, and of equals the strictest; None if that one accepts the
    operation.
    """
    about = [each for each in rules_in_force if _names(each, kind)]
    if any(each.zone or each.node_id for each in about):
        places = set(_places(resource_ids, zones))
        about = [each for each in about if _is_at(each, places)]
    rule = max(about, key=_weight, default=None)
    return None if rule is None or rule.action == "accept" else rule


def _names(rule: MaintenanceRule, kind: str) -> bool:
    if rule.pattern == kind:
        return True
    is_among = rule.pattern == "*" or (rule.pattern.endswith(".*") and kind.startswith(rule.pattern[:-1]))
    return is_among and kind not in ALWAYS


def _places(resource_ids: Sequence[UUID], zones: Sequence[str]) -> Iterable[tuple[str, UUID | None]]:
    """Return the locations of resources; for a resource without allocation, the requested zone, if it is a single
    one.
    """
    places: list[tuple[str, UUID | None]] = [place for find in location_sources for place in find(resource_ids)]
    return places or [(zone, None) for zone in zones[:1] if len(zones) == 1]


def _is_at(rule: MaintenanceRule, places: Collection[tuple[str, UUID | None]]) -> bool:
    is_in_zone = not rule.zone or any(zone == rule.zone for zone, _ in places)
    return is_in_zone and (rule.node_id is None or any(node == rule.node_id for _, node in places))


def _weight(rule: MaintenanceRule) -> tuple[int, int, int]:
    kind = 0 if rule.pattern == "*" else 1 if rule.pattern.endswith(".*") else 2
    location = 2 if rule.node_id else 1 if rule.zone else 0
    return kind, location, ACTIONS.index(rule.action)
