"""The decision: filters, then ranking, then what there is to learn from the refusals."""

from datetime import datetime

import numpy as np

from .compare import Sets, unsatisfiable
from .decision import Decision, Elimination, Verdict, ZoneReport
from .facts import World
from .filters import CAPACITY, FILTERS, Sieve, Zones, assess, sift
from .fleet import Fleet
from .hints import nearest, relaxations
from .policy import AtomRef
from .rank import rank
from .request import Request


def decide(request: Request, fleet: Fleet, world: World, *, now: datetime, seed: int) -> Decision:
    """Which nodes may take the request, best first, and why the others may not. Same arguments, same answer.

    Raises:
        PolicyError: the request's policies have too many atoms together.
    """
    verdicts = assess(request, fleet, world, now=now)
    sieve = sift(request, fleet, verdicts)
    admitted = sieve.passing()
    conflict = unsatisfiable(request.policies, Sets.of(world, now))
    return Decision(
        verdict=_verdict(sieve, conflict),
        request=request,
        seed=seed,
        candidates=tuple(fleet.ids[position] for position in rank(request, fleet, among=admitted, seed=seed)),
        eliminated=_eliminated(fleet, sieve),
        zones=_zone_reports(fleet, verdicts, sieve),
        nearest=nearest(request, fleet, sieve),
        relaxations=() if admitted.any() else relaxations(request, fleet, verdicts, sieve),
        unsatisfiable=conflict,
    )


def _verdict(sieve: Sieve, conflict: tuple[AtomRef, ...]) -> Verdict:
    if conflict:
        return "unsatisfiable"
    if sieve.passing().any():
        return "admitted"
    return "no_capacity" if sieve.passing(but_for=CAPACITY).any() else "inadmissible"


def _eliminated(fleet: Fleet, sieve: Sieve) -> tuple[Elimination, ...]:
    """All filters, also those that refused nobody: a reader sees what was checked."""
    first = sieve.first_refusal()
    return tuple(
        Elimination(each.name, each.code, tuple(fleet.ids[node] for node in np.flatnonzero(first == position)))
        for position, each in enumerate(FILTERS)
    )


def _zone_reports(fleet: Fleet, zones: Zones, sieve: Sieve) -> tuple[ZoneReport, ...]:
    """One per zone, in the order of their ids."""
    columns = len(FILTERS) + 1
    cells = fleet.zone_index * columns + sieve.first_refusal()
    table = np.bincount(cells, minlength=len(zones) * columns).reshape(len(zones), columns).tolist()
    reports = [
        ZoneReport(
            zone=zone.zone,
            status=zone.status,
            nodes=sum(counts),
            admitted=counts[-1],
            codes=_by_code(counts[:-1]),
            results=zone.results,
            valid_until=zone.valid_until,
        )
        for zone, counts in zip(zones, table, strict=True)
    ]
    return tuple(sorted(reports, key=lambda report: report.zone))


def _by_code(counts: list[int]) -> dict[str, int]:
    codes: dict[str, int] = {}
    for each, count in zip(FILTERS, counts, strict=True):
        if count:
            codes[each.code] = codes.get(each.code, 0) + count
    return codes
