"""Three-valued evaluation of policies against what is known of a zone. Pure, standard library only: the control plane
decides with it, nodes check permits with it, and auditors recompute decisions with it.

Every clause is evaluated, however many fail, since the remedy is per clause. Only T admits.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import asin, cos, radians, sin, sqrt
from typing import Literal

from .attributes import ASKABLE, CERTIFICATIONS, PARTIES, ZONE_ID
from .certificates import held
from .facts import ASSERTIONS, Fact, Horizon, Subject, World, Zone, at
from .policy import Atom, AtomRef, Certified, Policy, Value, effective
from .reading import instant

EARTH_RADIUS_KM = 6371.0088  # mean radius, IUGG
LISTS = (CERTIFICATIONS, PARTIES)  # what their entries are is checked entry by entry

Truth = Literal["T", "F", "U"]
OK, UNKNOWN = "OK", "ATTR_UNKNOWN"


@dataclass(frozen=True, slots=True)
class AtomResult:
    """`code` is from the closed list of reasons; `detail` is what was found, as text, empty when nothing was."""

    ref: AtomRef
    result: Truth
    code: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """`valid_until`: the earliest moment at which something that was looked at may change by itself, or None."""

    results: tuple[AtomResult, ...]
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
class Question:
    """One clause asked of one zone. `reference` is the zone that a distance is measured from."""

    atom: Atom
    zone: Zone | None
    world: World
    horizon: Horizon
    reference: Zone | None = None

    def fact(self, subject: Subject, attribute: str) -> Fact | None:
        """What is known now, if it is a value and as well attested as the clause demands."""
        fact = at(subject.timeline(attribute), self.horizon)
        if fact is None or fact.value is None:
            return None
        is_weak = ASSERTIONS.index(fact.assertion) < ASSERTIONS.index(self.atom.assertion_min)
        is_of_type = attribute in LISTS or ASKABLE[attribute].accepts(fact.value)
        return fact if is_of_type and not is_weak else None


def evaluate(
    policies: Sequence[Policy],
    zone: Zone | None,
    world: World,
    *,
    now: datetime,
    roles: Collection[str],
    reference: Zone | None = None,
) -> Evaluation:
    """One result per clause that applies to one of the roles, in order.

    A zone of which nothing is known (None) leaves every clause unknown.

    Raises:
        PolicyError: more than MAX_ATOMS_EFFECTIVE atoms together.
    """
    horizon = Horizon(now)
    results = [
        AtomResult(AtomRef(policy.id, policy.level, policy.id), "F", "NOT_SUPPORTED_CLASSIFIED")
        for policy in policies
        if not policy.is_supported
    ]
    for ref, atom in effective(policies):
        if atom.applies_to(roles):
            answer = _answer(Question(atom, zone, world, horizon, reference))
            results.append(AtomResult(ref, answer.result, answer.code, answer.detail))
    return Evaluation(tuple(results), horizon.until)


def waive(found: Evaluation, policies: Sequence[Policy], waived: Collection[str]) -> Evaluation:
    """What an exemption makes of it: a clause among `waived` (policy/atom) that can be waived and does not hold counts
    as T with the code WAIVED, and with what it would have been as its detail."""
    waivable = {ref for ref, atom in effective(policies) if atom.is_waivable and f"{ref.policy}/{ref.atom}" in waived}
    results = tuple(
        AtomResult(each.ref, "T", "WAIVED", each.code) if each.result != "T" and each.ref in waivable else each
        for each in found.results
    )
    return Evaluation(results, found.valid_until)


def _answer(question: Question) -> Answer:
    zone, atom = question.zone, question.atom
    if zone is None:
        return Answer("U", UNKNOWN)
    if atom.op == "holds":
        return _certificates(question, zone)
    if atom.op == "min_distance_km":
        return _distance(question, zone)
    if atom.is_about_parties:
        return _parties(question, zone)
    fact = Fact(zone.id, question.horizon.now) if atom.attr == ZONE_ID else question.fact(zone, atom.attr)
    return Answer("U", UNKNOWN) if fact is None else _test(question, fact)


def _test(question: Question, fact: Fact) -> Answer:
    holds, code = TESTS[question.atom.op]
    try:
        detail = holds(question, fact.value)
    except _UnknownSet as exc:
        return Answer("U", UNKNOWN, str(exc))
    if detail is not None:
        return Answer("F", code, detail)
    return Answer("T", detail=fact.value if isinstance(fact.value, str) else "")


class _UnknownSet(Exception):
    """A named set has no version that holds now."""


# Each test gives None when the clause holds, else what stands against it.


def _in(question: Question, value: object) -> str | None:
    return None if value in _territories(question) else str(value)


def _subset(question: Question, value: object) -> str | None:
    return _listed(set(_strings(value)) - _territories(question))


def _contains(question: Question, value: object) -> str | None:
    return _listed(_territories(question) - set(_strings(value)))


def _disjoint(question: Question, value: object) -> str | None:
    return _listed(_territories(question) & set(_strings(value)))


def _is(question: Question, value: object) -> str | None:
    return None if value is question.atom.value else str(value).lower()


def _le(question: Question, value: object) -> str | None:
    return None if _rank(question, value) <= _rank(question, question.atom.value) else str(value)


def _ge(question: Question, value: object) -> str | None:
    return None if _rank(question, value) >= _rank(question, question.atom.value) else str(value)


def _within_days(question: Question, value: object) -> str | None:
    """The moment is past, and not longer ago than so many days."""
    moment, days = instant(value), question.atom.value
    assert moment is not None and isinstance(days, int)
    last = moment + timedelta(days=days)
    question.horizon.sees(moment)
    if moment > question.horizon.now or question.horizon.now > last:
        return str(value)
    question.horizon.sees_last(last)
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


def _territories(question: Question) -> set[str]:
    """The values that the clause lists, its named sets as they are now."""
    return set(_expanded(question.atom.value, question.world, question.horizon))


def _expanded(values: Value, world: World, horizon: Horizon) -> Iterator[str]:
    assert isinstance(values, tuple)
    for value in values:
        if value.startswith("@"):
            version = at(world.sets.get(value, ()), horizon)
            if version is None or not isinstance(version.value, list):
                raise _UnknownSet(value)
            yield from _strings(version.value)
        else:
            yield value


def _strings(value: object) -> list[str]:
    assert isinstance(value, list)
    return [item for item in value if isinstance(item, str)]


def _listed(values: set[str]) -> str | None:
    return ", ".join(sorted(values)) or None


def _rank(question: Question, value: object) -> int:
    """Shares in hundredths, levels as they are, words by their place on the scale."""
    order = ASKABLE[question.atom.attr].order
    if order:
        return order.index(str(value))
    return value if isinstance(value, int) else int(str(value).replace(".", ""))


def _certificates(question: Question, zone: Zone) -> Answer:
    demand = question.atom.value
    fact = question.fact(zone, CERTIFICATIONS)
    assert isinstance(demand, Certified)
    if fact is None:
        return Answer("U", UNKNOWN)
    schemes = _schemes(demand.scheme, question)
    if schemes is None:
        return Answer("U", UNKNOWN, demand.scheme)
    code, detail = held(demand, schemes, fact.value, question.horizon)
    return Answer("T" if code == OK else "F", code, detail)


def _schemes(name: str, question: Question) -> list[str] | None:
    if not name.startswith("@"):
        return [name]
    version = at(question.world.scheme_classes.get(name, ()), question.horizon)
    return None if version is None or not isinstance(version.value, list) else _strings(version.value)


def _distance(question: Question, zone: Zone) -> Answer:
    here = _coordinates(question, zone)
    there = _coordinates(question, question.reference) if question.reference else None
    if here is None or there is None:
        return Answer("U", UNKNOWN)
    distance = great_circle_km(here, there)
    assert isinstance(question.atom.value, int)
    detail = f"{int(distance)} km"
    return Answer("T", detail=detail) if distance >= question.atom.value else Answer("F", "TOO_CLOSE", detail)


def _coordinates(question: Question, zone: Zone) -> tuple[float, float] | None:
    facts = [question.fact(zone, name) for name in _COORDINATES]
    values = [fact.value for fact in facts if fact is not None]
    return (float(str(values[0])), float(str(values[1]))) if len(values) == len(_COORDINATES) else None


_COORDINATES = ("location.lat", "location.lon")


def great_circle_km(here: tuple[float, float], there: tuple[float, float]) -> float:
    """Between two points given as latitude and longitude in degrees, by the haversine formula."""
    (lat1, lon1), (lat2, lon2) = (tuple(map(radians, point)) for point in (here, there))
    half = sin((lat2 - lat1) / 2) ** 2 + cos(lat1) * cos(lat2) * sin((lon2 - lon1) / 2) ** 2
    return 2 * EARTH_RADIUS_KM * asin(sqrt(half))


def _parties(question: Question, zone: Zone) -> Answer:
    """All parties that the clause chooses must satisfy it. A zone whose operator is not named leaves it unknown."""
    fact = question.fact(zone, PARTIES)
    parts = fact.value if fact is not None and isinstance(fact.value, list) else []
    if not any(part["role"] == "operator" for part in parts):
        return Answer("U", UNKNOWN)
    chosen = [part["party"] for part in parts if _is_chosen(question.atom, part)]
    answers = [_of_party(question, name) for name in dict.fromkeys(chosen)]
    for result in ("F", "U"):
        against = [answer for answer in answers if answer.result == result]
        if against:
            return Answer(against[0].result, against[0].code, "; ".join(answer.detail for answer in against))
    return Answer("T")


def _is_chosen(atom: Atom, part: Mapping[str, object]) -> bool:
    has_role = not atom.party_roles or part["role"] in atom.party_roles
    return has_role and (part["technical_access"] is True or not atom.only_with_technical_access)


def _of_party(question: Question, name: str) -> Answer:
    party = question.world.parties.get(name)
    fact = question.fact(party, question.atom.attr) if party is not None else None
    if fact is None:
        return Answer("U", UNKNOWN, name)
    answer = _test(question, fact)
    return Answer(answer.result, answer.code, f"{name}: {answer.detail}" if answer.detail else name)
