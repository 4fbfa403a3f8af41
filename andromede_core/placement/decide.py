"""The placement decision: filters, ranking, and the explanation of refusals."""

from collections.abc import Iterator

import numpy as np

from andromede_core.placement.decision import KEPT_NODES, Decision, Elimination, Nodes, Verdict, ZoneReport
from andromede_core.placement.filters import ADMISSION, ADMITTED, FILTERS, ROOM, FilterResult, Zones, run_filters
from andromede_core.placement.fleet import Counts, Fleet, Positions
from andromede_core.placement.ranking import best
from andromede_core.placement.relaxations import nearest, relaxations
from andromede_core.placement.request import ResolvedRequest
from andromede_core.policy.assessment import Assessment, ZoneVerdict


def decide(request: ResolvedRequest, fleet: Fleet, assessment: Assessment, *, seed: int) -> Decision:
    """Return the nodes that may take the request, best first, and the reasons of the others. Deterministic.

    `assessment` has the results of the request's policies for the zones.
    """
    zones = _verdicts(fleet, assessment)
    filtered = run_filters(request, fleet, zones)
    among = np.flatnonzero(filtered.first_refusal == ADMITTED)
    is_refused = not len(among)
    counts = _counts(fleet, filtered)
    return Decision(
        verdict=_verdict(filtered, assessment, is_refused=is_refused),
        request=request,
        seed=seed,
        admitted=len(among),
        candidates=_names(fleet, best(request, fleet, among=among, seed=seed, count=KEPT_NODES)),
        eliminated=tuple(_eliminated(fleet, zones, filtered, counts)),
        zones=_zone_reports(zones, assessment, counts),
        nearest=nearest(request, fleet, zones, filtered) if is_refused else (),
        relaxations=relaxations(request, fleet, zones, filtered) if is_refused else (),
        assessment=assessment,
        nodes=Nodes(fleet, zones, filtered.first_refusal),
    )


def admits(request: ResolvedRequest, fleet: Fleet, assessment: Assessment) -> bool:
    """Tell if decide() would admit the request, at a third of its cost, without nodes and reasons."""
    filtered = run_filters(request, fleet, _verdicts(fleet, assessment))
    return not assessment.conflict and bool((filtered.first_refusal == ADMITTED).any())


def _verdicts(fleet: Fleet, assessment: Assessment) -> Zones:
    return tuple(assessment.verdict(zone) for zone in fleet.dictionary.zones)


def _verdict(filtered: FilterResult, assessment: Assessment, *, is_refused: bool) -> Verdict:
    if assessment.conflict:
        return "unsatisfiable"
    if not is_refused:
        return "admitted"
    return "no_capacity" if filtered.passing(but_for=ROOM).any() else "inadmissible"


def _counts(fleet: Fleet, filtered: FilterResult) -> Counts:
    """Count nodes by zone and by first refusal; the last column counts those that pass."""
    shape = len(fleet.dictionary.zones), len(FILTERS) + 1
    cells = fleet.zone_index * shape[1] + filtered.first_refusal
    return np.bincount(cells, minlength=shape[0] * shape[1]).reshape(shape)


def _eliminated(fleet: Fleet, zones: Zones, filtered: FilterResult, counts: Counts) -> Iterator[Elimination]:
    """Return the counts of all filters, also of those that refused no node, so that a reader sees what was checked."""
    is_refused = not counts[:, ADMITTED].any()
    for position, each in enumerate(FILTERS):
        zones_by_code: dict[str, list[int]] = {}
        for index in np.flatnonzero(counts[:, position]).tolist():
            zones_by_code.setdefault(each.codes(zones[index])[0], []).append(index)
        for code, among in (zones_by_code or {each.code: []}).items():
            yield Elimination(
                filter=each.name,
                code=code,
                count=int(counts[among, position].sum()),
                nodes=_first(fleet, filtered, position, among) if among and is_refused else (),
            )


def _first(fleet: Fleet, filtered: FilterResult, position: int, among: list[int]) -> tuple[str, ...]:
    refused = np.flatnonzero(filtered.first_refusal == position)
    return _names(fleet, refused[np.isin(fleet.zone_index[refused], among)][:KEPT_NODES])


def _names(fleet: Fleet, positions: Positions) -> tuple[str, ...]:
    return tuple(fleet.ids[position] for position in positions.tolist())


def _zone_reports(zones: Zones, assessment: Assessment, counts: Counts) -> tuple[ZoneReport, ...]:
    """Return one report per zone that is known or has nodes, in the order of their ids."""
    rows = dict(zip((zone.zone for zone in zones), counts.tolist(), strict=True))
    none = [0] * counts.shape[1]
    empty = (zone for zone in assessment.zones.values() if zone.zone not in rows)
    reports = [_zone_report(zone, rows.get(zone.zone, none)) for zone in (*zones, *empty)]
    reported = [report for report in reports if report.nodes or report.status is not None]
    return tuple(sorted(reported, key=lambda report: report.zone))


def _zone_report(zone: ZoneVerdict, row: list[int]) -> ZoneReport:
    codes: dict[str, int] = {}
    kept_out = 0
    for each, count in zip(FILTERS, row[:ADMITTED], strict=True):
        if count:
            code = each.codes(zone)[0]
            codes[code] = codes.get(code, 0) + count
            kept_out += count if each.name in ADMISSION else 0
    return ZoneReport(
        zone=zone.zone,
        status=zone.status,
        nodes=sum(row),
        admitted=row[ADMITTED],
        codes=codes,
        kept_out=kept_out,
        results=zone.results,
    )
