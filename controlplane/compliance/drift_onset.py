"""Onset of compliance drift: when the fact ended or the policy changed, rather than when a sweep detected it."""

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

# Maximum number of changes of facts between two sweeps; each is evaluated with the facts that counted then.
CHANGES_AT_MOST = 20


class DriftOnset:
    """Onsets for one sweep. The facts that counted at each moment are read once."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._changes: dict[datetime, list[datetime]] = {}
        self._facts_at: dict[datetime, World] = {}
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
        """Return since when the location has not satisfied the policies, between `after`, when it did, and now; now if
        that cannot be determined.
        """
        key = (tuple(policies), zone, roles, after)
        if key not in self._found:
            demanded = self._demanded_at(failing, after)
            began = self._failed_at(policies, zone, roles, demanded or after)
            is_recent = after < began <= self._now
            self._found[key] = began if is_recent else self._now
        return self._found[key]

    def _failed_at(self, policies: Sequence[Policy], zone: str, roles: tuple[Role, ...], first: datetime) -> datetime:
        """Return the first moment at or after `first` from which the clauses have failed until now."""
        began = None
        for start, end in pairwise([first, *self._changed_after(first), self._now]):
            world = self._world_at(start)
            prediction = forecast(policies, world.zones.get(zone), world, now=start, roles=roles)
            if prediction.fails_at is None or prediction.fails_at > end:
                began = None
            elif began is None:
                began = prediction.fails_at
        return began or self._now

    def _changed_after(self, first: datetime) -> list[datetime]:
        """Return the times at which facts were stated or withdrawn; none, if there are too many."""
        if first not in self._changes:
            moments: set[datetime] = set()
            for name in ("created_at", "superseded_at"):
                within = Q(**{f"{name}__gt": first, f"{name}__lt": self._now})
                moments |= set(Fact.objects.filter(within).values_list(name, flat=True)[: CHANGES_AT_MOST + 1])
            self._changes[first] = sorted(moments) if len(moments) <= CHANGES_AT_MOST else []
        return self._changes[first]

    def _world_at(self, moment: datetime) -> World:
        if moment not in self._facts_at:
            self._facts_at[moment] = catalog.world(known_at=moment)
        return self._facts_at[moment]

    def _demanded_at(self, failing: Sequence[ClauseResult], after: datetime) -> datetime | None:
        """Return when the first of these clauses came into force, if all are newer than `after`."""
        layers = {(each.ref.level, each.ref.policy) for each in failing}
        moments = [_in_force_since(level, policy) for level, policy in layers]
        later = [moment for moment in moments if moment is not None and moment > after]
        return min(later) if later and len(later) == len(moments) else None


def _in_force_since(level: str, policy: str) -> datetime | None:
    """Return the start of a policy. `policy`: the id of a version, or a classification's name and number."""
    versions = PolicyVersion.objects.filter(level=level)
    version_id: UUID | None = as_uuid(policy)
    name, _, number = policy.rpartition(".")
    if version_id is not None:
        versions = versions.filter(pk=version_id)
    elif number.isdecimal():
        versions = versions.filter(classification=name, version=int(number))
    else:
        return None
    return versions.values_list("created_at", flat=True).first()
