"""Three-valued evaluation of policies against the facts of a zone. Pure, standard library only.

The control plane decides with it, nodes check permits with it, and auditors recompute decisions with it. Every clause
is evaluated, however many fail, since the remedy is per clause. Only T admits.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import asin, cos, radians, sin, sqrt
from typing import Literal

from andromede_core.documents.parsing import as_rfc3339, instant
from andromede_core.facts.attributes import ASKABLE, CERTIFICATIONS, PARTIES, ZONE_ID
from andromede_core.facts.certificates import best_certificate
from andromede_core.facts.world import ASSERTIONS, Fact, Horizon, Subject, Timeline, World, Zone, at, shifted
from andromede_core.policy.clauses import Certified, Clause, ClauseRef, Policy, effective, names_of_sets

EARTH_RADIUS_KM = 6371.0088  # mean radius, IUGG
LISTS = (CERTIFICATIONS, PARTIES)  # their entries are checked one by one

NOBODY = Subject("")
Truth = Literal["T", "F", "U"]
DISTANCE = "min_distance_km"
REFERENCE = "reference"  # the unknown of a distance without a zone to measure from
OK, UNKNOWN, UNSUPPORTED = "OK", "ATTR_UNKNOWN", "NOT_SUPPORTED_CLASSIFIED"


@dataclass(frozen=True, slots=True)
class ClauseResult:
    """The result of one clause for one zone.

    `code` is from the closed list of reasons; `detail` is the value found, as text: for U the missing fact, its subject
    and the cause; for F the values that fail; for T the one value, where there is one.
    """

    ref: ClauseRef
    result: Truth
    code: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The results of all clauses for one zone.

    `valid_until`: the earliest moment at which a value that was read may change by itself, or None.
    """

    results: tuple[ClauseResult, ...]
    valid_until: datetime | None

    @property
    def admits(self) -> bool:
        return all(result.result == "T" for result in self.results)


@dataclass(frozen=True, slots=True)
class Answer:
    result: Truth
    code: str = OK
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Copy:
    """A planned copy. `original`: the zone of the source; None: unknown."""

    original: Zone | None


@dataclass(frozen=True, slots=True)
class Question:
    """One clause evaluated for one zone. `reference` is the zone that a distance is measured from."""

    clause: Clause
    zone: Zone | None
    world: World
    horizon: Horizon
    reference: Zone | None = None

    def fact(self, subject: Subject, attribute: str) -> Fact:
        """Return the fact that holds now.

        Raises:
            Unknown: there is no fact, its value has another type, or its assurance is below the clause's demand.
        """
        fact = at(subject.timeline(attribute), self.horizon)
        if fact is None:
            raise Unknown(attribute, _overdue(subject.timeline(attribute), self.horizon.now))
        is_of_type = isinstance(fact.value, list) if attribute in LISTS else ASKABLE[attribute].accepts(fact.value)
        if not is_of_type:
            raise Unknown(attribute)
        if ASSERTIONS.index(fact.assertion) < ASSERTIONS.index(self.clause.assertion_min):
            raise Unknown(attribute, fact.assertion)
        return fact


class Unknown(Exception):
    """A fact that a clause needs is unknown.

    `subject` is the attribute or named set; `why`: the cause, empty if no statement exists.
    """

    def __init__(self, subject: str, why: str = "") -> None:
        super().__init__(f"{subject} ({why})" if why else subject)


def _overdue(timeline: Sequence[Fact], now: datetime) -> str:
    due = [fact.review_by for fact in timeline if fact.holds_at(now) and fact.review_by is not None]
    return f"review_by {as_rfc3339(due[0])}" if due else ""


def evaluate(
    policies: Sequence[Policy],
    zone: Zone | None,
    world: World,
    *,
    now: datetime,
    roles: Collection[str],
    copy: Copy | None = None,
) -> Evaluation:
    """Return one result per clause that applies to one of the roles, in order.

    `copy`: the zone is to hold a copy; its distance from the original is evaluated too. A zone without facts (None)
    leaves every clause unknown.

    Raises:
        PolicyError: more than MAX_CLAUSES_EFFECTIVE clauses together.
    """
    horizon = Horizon(now)
    results = [
        ClauseResult(ClauseRef(policy.id, policy.level, policy.id), "F", UNSUPPORTED)
        for policy in policies
        if not policy.is_supported
    ]
    for ref, clause in effective(policies):
        if clause.applies_to(roles) and (copy is not None or clause.op != DISTANCE):
            answer = _answer(Question(clause, zone, world, horizon, copy.original if copy else None))
            results.append(ClauseResult(ref, answer.result, answer.code, answer.detail))
    return Evaluation(tuple(results), horizon.until)


def failures(results: Sequence[ClauseResult]) -> list[list[str]]:
    """Return the clauses that do not hold, as evidence has them: policy, clause, result and code."""
    return [[each.ref.policy, each.ref.clause, each.result, each.code] for each in results if each.result != "T"]


def waive(evaluation: Evaluation, policies: Sequence[Policy], waived: Collection[str]) -> Evaluation:
    """Return the evaluation with an exemption applied.

    A clause among `waived` (policy/clause) that can be waived and does not hold counts as T with the code WAIVED, and
    has its former result as detail. Of several clauses of one name (the versions of a policy in a lineage) either all
    can be waived or none.
    """
    clauses = effective(policies)
    may = {ref for ref, clause in clauses if clause.is_waivable} - {
        ref for ref, clause in clauses if not clause.is_waivable
    }
    results = []
    for each in evaluation.results:
        is_named = each.ref in may and f"{each.ref.policy}/{each.ref.clause}" in waived
        is_waived = is_named and each.result != "T" and each.code != UNSUPPORTED
        results.append(ClauseResult(each.ref, "T", "WAIVED", each.code) if is_waived else each)
    return Evaluation(tuple(results), evaluation.valid_until)


def _answer(question: Question) -> Answer:
    try:
        return _tested_value(question, question.zone) if question.zone is not None else Answer("U", UNKNOWN)
    except Unknown as exc:
        return Answer("U", UNKNOWN, str(exc))


def _tested_value(question: Question, zone: Zone) -> Answer:
    """Return the value that the clause tests.

    Raises:
        Unknown: the value that the clause tests.
    """
    clause = question.clause
    if clause.op == "holds":
        return _certificates(question, zone)
    if clause.op == DISTANCE:
        return _distance(question, zone)
    if clause.is_about_parties:
        return _parties(question, zone)
    return _test(question, zone.id if clause.attr == ZONE_ID else question.fact(zone, clause.attr).value)


def _test(question: Question, value: object) -> Answer:
    holds, code = TESTS[question.clause.op]
    detail = holds(question, value)
    if detail is not None:
        return Answer("F", code, detail)
    return Answer("T", detail=value if isinstance(value, str) else "")


# Each test gives None when the clause holds, else the values that fail.


def _in(question: Question, value: object) -> str | None:
    return None if value in _listed(question) else str(value)


def _subset(question: Question, value: object) -> str | None:
    return _joined(set(_strings(value)) - _listed(question))


def _contains(question: Question, value: object) -> str | None:
    return _joined(_listed(question) - set(_strings(value)))


def _disjoint(question: Question, value: object) -> str | None:
    return _joined(_listed(question) & set(_strings(value)))


def _is(question: Question, value: object) -> str | None:
    if value == question.clause.value:
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)


def _le(question: Question, value: object) -> str | None:
    return None if _rank(question, value) <= _rank(question, question.clause.value) else str(value)


def _ge(question: Question, value: object) -> str | None:
    return None if _rank(question, value) >= _rank(question, question.clause.value) else str(value)


def _within_days(question: Question, value: object) -> str | None:
    """Tell if the moment is past, and not longer ago than so many days."""
    moment, days = instant(value), question.clause.value
    assert moment is not None
    assert isinstance(days, int)
    last = shifted(moment, timedelta(days=days))
    question.horizon.add_boundary(moment)
    if moment > question.horizon.now or question.horizon.now > last:
        return str(value)
    question.horizon.add_last_moment(last)
    return None


TESTS: Mapping[str, tuple[Callable[[Question, object], str | None], str]] = {
    "in": (_in, "ATTR_MISMATCH"),
    "subset": (_subset, "ATTR_MISMATCH"),
    "contains": (_contains, "ATTR_MISMATCH"),
    "disjoint": (_disjoint, "ATTR_MISMATCH"),
    "is": (_is, "ATTR_MISMATCH"),
    "le": (_le, "THRESHOLD_EXCEEDED"),
    "ge": (_ge, "LEVEL_TOO_LOW"),
    "within_days": (_within_days, "EVIDENCE_STALE"),
}


def _listed(question: Question) -> set[str]:
    """Return the values that the clause lists, with the current members of its named sets.

    Raises:
        Unknown: a set has no version that holds now.
    """
    values = question.clause.value
    assert isinstance(values, tuple)
    named = [_members(question.world.sets, value, question.horizon) for value in values if value.startswith("@")]
    return set(values).union(*named)  # the names themselves are harmless: no value begins with @


def _members(sets: Mapping[str, Timeline], name: str, horizon: Horizon) -> list[str]:
    version = at(sets.get(name, ()), horizon)
    if version is None or not isinstance(version.value, list):
        raise Unknown(name)
    return _strings(version.value)


def sets_used(policies: Sequence[Policy], world: World, *, now: datetime) -> dict[tuple[str, str], datetime]:
    """Return the version of each named set and class of schemes that clauses name, by kind and name.

    The version is the moment from which it holds. A set without a version that holds now is left out.
    """
    used = {}
    for _, clause in effective(policies):
        is_class = isinstance(clause.value, Certified)
        for name in names_of_sets(clause):
            version = at((world.scheme_classes if is_class else world.sets).get(name, ()), Horizon(now))
            if version is not None:
                used["scheme_class" if is_class else "set", name] = version.valid_from
    return dict(sorted(used.items()))


def _strings(value: object) -> list[str]:
    assert isinstance(value, list)
    return [item for item in value if isinstance(item, str)]


def _joined(values: set[str]) -> str | None:
    return ", ".join(sorted(values)) or None


def _rank(question: Question, value: object) -> int:
    """Return shares in hundredths, levels as they are, words by their place on the scale."""
    order = ASKABLE[question.clause.attr].order
    if order:
        return order.index(str(value))
    return int(str(value).replace(".", ""))


def _certificates(question: Question, zone: Zone) -> Answer:
    demand = question.clause.value
    certificates = question.fact(zone, CERTIFICATIONS).value
    assert isinstance(demand, Certified) and isinstance(certificates, list)
    schemes = [demand.scheme]
    if demand.scheme.startswith("@"):
        schemes = _members(question.world.scheme_classes, demand.scheme, question.horizon)
    code, detail = best_certificate(demand, schemes, certificates, question.horizon)
    return Answer("T" if code == OK else "F", code, detail)


def _distance(question: Question, zone: Zone) -> Answer:
    if question.reference is None:
        raise Unknown(REFERENCE)
    distance = great_circle_km(_coordinates(question, zone), _coordinates(question, question.reference))
    assert isinstance(question.clause.value, int)
    detail = f"{int(distance)} km"
    return Answer("T", detail=detail) if distance >= question.clause.value else Answer("F", "TOO_CLOSE", detail)


def _coordinates(question: Question, zone: Zone) -> tuple[float, float]:
    lat, lon = (question.fact(zone, name).value for name in ("location.lat", "location.lon"))
    return float(str(lat)), float(str(lon))


def great_circle_km(here: tuple[float, float], there: tuple[float, float]) -> float:
    """Return the distance of two points (latitude, longitude in degrees) by the haversine formula.

    At antipodes, rounding may exceed the domain of asin, so the value is limited.
    """
    (lat1, lon1), (lat2, lon2) = (tuple(map(radians, point)) for point in (here, there))
    half = sin((lat2 - lat1) / 2) ** 2 + cos(lat1) * cos(lat2) * sin((lon2 - lon1) / 2) ** 2
    return 2 * EARTH_RADIUS_KM * asin(sqrt(min(1.0, half)))


def _parties(question: Question, zone: Zone) -> Answer:
    """Check that all parties chosen by the clause satisfy it. A zone without a named operator leaves it unknown."""
    parts = question.fact(zone, PARTIES).value
    assert isinstance(parts, list)
    if not any(part["role"] == "operator" for part in parts):
        raise Unknown(PARTIES)
    chosen = [part["party"] for part in parts if _is_chosen(question.clause, part)]
    answers = [_of_party(question, name) for name in dict.fromkeys(chosen)]
    for result in ("F", "U"):
        against = [answer for answer in answers if answer.result == result]
        if against:
            return Answer(against[0].result, against[0].code, "; ".join(answer.detail for answer in against))
    return Answer("T")


def _is_chosen(clause: Clause, part: Mapping[str, object]) -> bool:
    has_role = not clause.party_roles or part["role"] in clause.party_roles
    return has_role and (part["technical_access"] is True or not clause.only_with_technical_access)


def _of_party(question: Question, name: str) -> Answer:
    party = question.world.parties.get(name, NOBODY)
    try:
        answer = _test(question, question.fact(party, question.clause.attr).value)
    except Unknown as exc:
        answer = Answer("U", UNKNOWN, str(exc))
    return Answer(answer.result, answer.code, f"{name}: {answer.detail}")
