"""Results of policies for every zone, computed once per request: tens of zones against hundreds of clauses."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

from andromede_core.facts.world import World, Zone, ZoneStatus
from andromede_core.policy.clauses import ClauseRef, Policy
from andromede_core.policy.evaluation import ClauseResult, Evaluation, evaluate, sets_used, waive
from andromede_core.policy.order import Sets, unsatisfiable


@dataclass(frozen=True, slots=True)
class ZoneVerdict:
    """The results for one zone. `status` is None for a zone that has nodes but is otherwise unknown.

    `is_refused`: a clause is not satisfied there; `is_doubted`: the result of a clause is unknown. `valid_until`: when
    the results may change by themselves.
    """

    zone: str
    status: ZoneStatus | None
    results: tuple[ClauseResult, ...] = ()
    is_refused: bool = False
    is_doubted: bool = False
    valid_until: datetime | None = None

    @property
    def failing(self) -> tuple[ClauseResult, ...]:
        return tuple(result for result in self.results if result.result != "T")


@dataclass(frozen=True, slots=True)
class Table:
    """The results of all zones without repetitions: see decision.as_document."""

    clauses: list[list[str]]
    outcomes: list[list[str]]
    results: dict[str, list[int]]


@dataclass(frozen=True)
class Assessment:
    """The results of the policies for all zones.

    `zones` by id. `conflict`: the clauses about the requested roles that contradict one another, so that no zone can
    satisfy them.

    `at` is the moment of the evaluation; the same facts give the same results until `valid_until`. `sets`: the version
    of the named sets and classes of schemes that was used, by kind and name: since when it holds.
    """

    at: datetime
    zones: Mapping[str, ZoneVerdict]
    conflict: tuple[ClauseRef, ...]
    sets: Mapping[tuple[str, str], datetime]

    @cached_property
    def valid_until(self) -> datetime | None:
        return min((zone.valid_until for zone in self.zones.values() if zone.valid_until is not None), default=None)

    def holds_at(self, moment: datetime) -> bool:
        return self.at <= moment and (self.valid_until is None or moment < self.valid_until)

    @cached_property
    def table(self) -> Table:
        clauses = next((zone.results for zone in self.zones.values() if zone.results), ())
        outcomes: dict[tuple[str, str, str], int] = {}
        results = {
            zone.zone: [
                outcomes.setdefault((each.result, each.code, each.detail), len(outcomes)) for each in zone.results
            ]
            for zone in self.zones.values()
        }
        refs = [[each.ref.policy, each.ref.level, each.ref.clause] for each in clauses]
        return Table(refs, [list(outcome) for outcome in outcomes], results)

    def waiving(self, policies: Sequence[Policy], zone: str, waived: Collection[str]) -> "Assessment":
        """Return the assessment with an exemption for one zone applied: see evaluation.waive."""
        if (before := self.zones.get(zone)) is None:
            return self
        results = waive(Evaluation(before.results, before.valid_until), policies, waived).results
        outcomes = {each.result for each in results}
        after = replace(before, results=results, is_refused="F" in outcomes, is_doubted="U" in outcomes)
        return replace(self, zones={**self.zones, zone: after})

    def verdict(self, zone: str) -> ZoneVerdict:
        return self.zones.get(zone) or ZoneVerdict(zone, None)


def assess(
    policies: Sequence[Policy],
    world: World,
    *,
    now: datetime,
    roles: Collection[str],
) -> Assessment:
    """Evaluate every clause about one of the roles, on every zone.

    Raises:
        PolicyError: the policies have too many clauses together.
    """
    zones = sorted(world.zones.values(), key=lambda zone: zone.id)
    evaluations = ((zone, evaluate(policies, zone, world, now=now, roles=roles)) for zone in zones)
    return Assessment(
        at=now,
        zones={zone.id: _verdict(zone, evaluation) for zone, evaluation in evaluations},
        conflict=unsatisfiable(policies, Sets.of(world, now), roles=roles),
        sets=sets_used(policies, world, now=now),
    )


def admitting(policies: Sequence[Policy], world: World, *, now: datetime, roles: Collection[str]) -> tuple[Zone, ...]:
    """Return the zones that satisfy all of the policies, open or not, in the order of the world."""
    zones = world.zones.values()
    return tuple(zone for zone in zones if evaluate(policies, zone, world, now=now, roles=roles).admits)


def _verdict(zone: Zone, evaluation: Evaluation) -> ZoneVerdict:
    outcomes = {each.result for each in evaluation.results}
    return ZoneVerdict(
        zone=zone.id,
        status=zone.status,
        results=evaluation.results,
        is_refused="F" in outcomes,
        is_doubted="U" in outcomes,
        valid_until=evaluation.valid_until,
    )
