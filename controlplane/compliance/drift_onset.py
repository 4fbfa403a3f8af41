"""When something began to drift: when the fact ended or the policy changed, and not when a sweep noticed."""

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from uuid import UUID

from django.db.models import Q

from andromede_core.facts.world import World
from andromede_core.policy.clauses import Policy, Role
from andromede_core.policy.evaluation import ClauseResult
from andromede_core.policy.forecast import forecast
from controlplane.catalog import selectors as catalog
from controlplane.catalog.models import Fact
from controlplane.kernel.names import as_uuid
from controlplane.placement.models import PolicyVersion

# Of facts between two sweeps: the facts of each are read as they were believed then.
CHANGES_AT_MOST = 20


class DriftOnset:
    """For one sweep. What was believed at each moment is read once."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._changes: dict[datetime, list[datetime]] = {}
        self._worlds: dict[datetime, World] = {}
        self._found: dict[tuple[object, ...], datetime] = {}

    def find(
        self,
        policies: Sequence[Policy],
        zone: str,
        roles: tuple[Role, ...],
        failing: Sequence[ClauseResult],
        *,
        after: datetime,
    ) -> datetime:
        """Return since when the place has not satisfied the policies, between `after`, when it did, and now; now where
        that cannot be told."""
        key = (tuple(policies), zone, roles, after)
        if key not in self._found:
            demanded = self._demanded_at(failing, after)
            began = self._failed_at(policies, zone, roles, demanded or after)
            is_told = after < began <= self._now
            self._found[key] = began if is_told else self._now
        return self._found[key]

    def _failed_at(self, policies: Sequence[Policy], zone: str, roles: tuple[Role, ...], first: datetime) -> datetime:
        """The first moment from which they fail until now, of those from `first` on."""
        began = None
        for start, end in pairwise([first, *self._changed_after(first), self._now]):
            world = self._world_at(start)
            seen = forecast(policies, world.zones.get(zone), world, now=start, roles=roles)
            if seen.fails_at is None or seen.fails_at > end:
                began = None
            elif began is None:
                began = seen.fails_at
        return began or self._now

    def _changed_after(self, first: datetime) -> list[datetime]:
        """When facts were stated or withdrawn; none, if too many."""
        if first not in self._changes:
            moments: set[datetime] = set()
            for name in ("created_at", "superseded_at"):
                within = Q(**{f"{name}__gt": first, f"{name}__lt": self._now})
                moments |= set(Fact.objects.filter(within).values_list(name, flat=True)[: CHANGES_AT_MOST + 1])
            self._changes[first] = sorted(moments) if len(moments) <= CHANGES_AT_MOST else []
        return self._changes[first]

    def _world_at(self, moment: datetime) -> World:
        if moment not in self._worlds:
            self._worlds[moment] = catalog.world(believed_at=moment)
        return self._worlds[moment]

    def _demanded_at(self, failing: Sequence[ClauseResult], after: datetime) -> datetime | None:
        """When the first of these clauses was demanded, if all are newer than `after`."""
        layers = {(each.ref.level, each.ref.policy) for each in failing}
        moments = [_in_force_since(level, policy) for level, policy in layers]
        known = [moment for moment in moments if moment is not None and moment > after]
        return min(known) if known and len(known) == len(moments) else None


def _in_force_since(level: str, policy: str) -> datetime | None:
    """`policy`: the id of a version, or of a classification's its name and number."""
    found = PolicyVersion.objects.filter(level=level)
    version_id: UUID | None = as_uuid(policy)
    name, _, number = policy.rpartition(".")
    if version_id is not None:
        found = found.filter(pk=version_id)
    elif number.isdecimal():
        found = found.filter(classification=name, version=int(number))
    else:
        return None
    return found.values_list("created_at", flat=True).first()
