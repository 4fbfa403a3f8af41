"""The decision: filters, then ranking, then what there is to learn from the refusals."""

from collections.abc import Iterator
from datetime import datetime

import numpy as np

from .compare import Sets, unsatisfiable
from .decision import Decision, Elimination, Verdict, ZoneReport
from .evaluate import sets_used
from .facts import World
from .filters import CAPACITY, FILTERS, Sieve, Zones, ZoneVerdict, assess, sift
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
        eliminated=tuple(_eliminated(fleet, verdicts, sieve)),
        zones=_zone_reports(fleet, verdicts, sieve),
        nearest=nearest(request, fleet, verdicts, sieve),
        relaxations=() if admitted.any() else relaxations(request, fleet, verdicts, sieve),
        unsatisfiable=conflict,
        sets=sets_used(request.policies, world, now=now),
    )


def _verdict(sieve: Sieve, conflict: tuple[AtomRef, ...]) -> Verdict:
    if conflict:
        return "unsatisfiable"
    if sieve.passing().any():
        return "admitted"
    return "no_capacity" if sieve.passing(but_for=CAPACITY).any() else "inadmissible"


def _eliminated(fleet: Fleet, zones: Zones, sieve: Sieve) -> Iterator[Elimination]:
    """All filters, also those that refused nobody: a reader sees what was checked."""
    first = sieve.first_refusal()
    for position, each in enumerate(FILTERS):
        refused = np.flatnonzero(first == position)
        zone_of = fleet.zone_index[refused]
        reasons = [zones[zone].codes(each)[0] for zone in range(len(fleet.zone_ids))]
        told = dict.fromkeys(reasons[zone] for zone in np.unique(zone_of)) or (each.code,)
        for code in told:
            with_code = [zone for zone, reason in enumerate(reasons) if reason == code]
            nodes = refused if len(told) == 1 else refused[np.isin(zone_of, with_code)]
            yield Elimination(each.name, code, tuple(fleet.ids[node] for node in nodes))


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
            codes=_by_code(zone, counts[:-1]),
            results=zone.results,
            valid_until=zone.valid_until,
        )
        for zone, counts in zip(zones, table, strict=True)
    ]
    return tuple(sorted(reports, key=lambda report: report.zone))


def _by_code(zone: ZoneVerdict, counts: list[int]) -> dict[str, int]:
    codes: dict[str, int] = {}
    for each, count in zip(FILTERS, counts, strict=True):
        if count:
            code = zone.codes(each)[0]
            codes[code] = codes.get(code, 0) + count
    return codes
