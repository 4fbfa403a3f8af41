"""Random policies, and random worlds in which their clauses hold, fail and stay unknown about equally often.

Moments lie on a grid of days around NOW, so that boundaries meet.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from andromede_core.documents.parsing import as_rfc3339
from andromede_core.facts.attributes import ASKABLE, CERTIFICATIONS, PARTIES, PARTY_ROLES
from andromede_core.facts.world import ASSERTIONS, Fact, Subject, Timeline, World, Zone
from andromede_core.policy.clauses import LEVELS, ROLES, Certified, Clause, Policy
from tests.unit.placement.sample import NOW

DAY = timedelta(days=1)
MOMENTS = [NOW + days * DAY for days in range(-4, 5)]
TERRITORIES = ("DE", "FR", "NO", "US")
SET_NAMES = ("@EU", "@S")  # @EU is a class of schemes too
CLASS_NAMES = ("@EU", "@Q")
SCHEMES = ("SNC", "C5")
ZONE_IDS = ("z-1", "z-2")
PARTY_IDS = ("p-1", "p-2")

# Per attribute: what its values, or the members of its values, are made of here.
UNIVERSE: Mapping[str, tuple[Any, ...]] = {
    "zone.id": ZONE_IDS,
    "location.territory": TERRITORIES,
    "keys.countries": TERRITORIES,
    "admin.access_from": TERRITORIES,
    "tenancy": ("shared", "dedicated_host"),
    "encryption.volume_format": ("LUKS1", "LUKS2"),
    "encryption.at_rest": (False, True),
    "keys.custody": ("none", "provider_hsm", "customer_hyok"),
    "network_class": (0, 1, 2),
    "disconnect.tested_at": tuple(as_rfc3339(moment) for moment in MOMENTS),
    "party.statutory_seat": TERRITORIES,
    "party.non_eu_collective_pct": ("0.00", "9.99", "10.00", "39.00", "100.00"),
    "party.non_eu_veto": (False, True),
    "party.extraterritorial_exposure": ("US:CLOUD_ACT", "CA:CODE"),
}
IS_SET = {name for name in UNIVERSE if "subset" in ASKABLE[name].operators}

few_roles = st.lists(st.sampled_from(["backup", "compute", "key"]), unique=True, max_size=2)
moments = st.sampled_from(MOMENTS)


def sets_of(values: Sequence[Any], *, least: int = 0) -> st.SearchStrategy[list[Any]]:
    return st.lists(st.sampled_from(values), unique=True, min_size=least, max_size=3)


def values_of(attribute: str) -> st.SearchStrategy[Any]:
    """Return values that a fact may have."""
    if attribute in IS_SET:
        return sets_of(UNIVERSE[attribute], least=int(ASKABLE[attribute].is_never_empty))
    return st.sampled_from(UNIVERSE[attribute])


def bounds_of(attribute: str, op: str) -> st.SearchStrategy[Any]:
    """Return values that a clause may compare with."""
    if op == "within_days":
        return st.integers(1, 4)
    if op in ("is", "le", "ge"):
        return st.sampled_from(UNIVERSE[attribute])
    named = SET_NAMES if ASKABLE[attribute].is_territory and op != "contains" else ()
    return sets_of((*UNIVERSE[attribute], *named), least=1).map(lambda values: tuple(sorted(values)))


@st.composite
def selectors(draw: st.DrawFn, attribute: str) -> dict[str, Any]:
    result: dict[str, Any] = {
        "roles": tuple(sorted(draw(few_roles))),
        "assertion_min": draw(st.sampled_from([ASSERTIONS[0], *ASSERTIONS])),
        "is_waivable": draw(st.booleans()),
    }
    if attribute.startswith("party."):
        result["party_roles"] = tuple(sorted(draw(sets_of(("operator", "remote_support")))))
        result["only_with_technical_access"] = draw(st.booleans())
    return result


@st.composite
def clauses_about(draw: st.DrawFn, attribute: str, *, op: str | None = None) -> Clause:
    chosen = op or draw(st.sampled_from(sorted(ASKABLE[attribute].operators)))
    return Clause("a", chosen, draw(bounds_of(attribute, chosen)), attribute, **draw(selectors(attribute)))


@st.composite
def certified(draw: st.DrawFn) -> Clause:
    demand = Certified(
        draw(st.sampled_from([*SCHEMES, *CLASS_NAMES])),
        draw(st.sampled_from([None, "1", "2.0", "2.1"])),
        draw(st.sampled_from([None, None, "high"])),
        draw(st.sampled_from([None, "iaas", "backup"])),
        draw(st.integers(0, 2)),
    )
    return Clause("a", "holds", demand, **draw(selectors("")))


@st.composite
def distances(draw: st.DrawFn) -> Clause:
    copies = {"roles": tuple(sorted(draw(sets_of(("backup", "replica"), least=1))))}
    return Clause("a", "min_distance_km", draw(st.integers(1, 3)) * 100, **draw(selectors("")) | copies)


def clauses() -> st.SearchStrategy[Clause]:
    about = st.sampled_from(sorted(UNIVERSE)).flatmap(clauses_about)
    return st.one_of(about, about, about, certified(), distances())


def like(clause: Clause) -> st.SearchStrategy[Clause]:
    """Return another clause with the same attribute and operator."""
    if clause.op == "holds":
        return certified()
    if clause.op == "min_distance_km":
        return distances()
    return clauses_about(clause.attr, op=clause.op)


def numbered(unnumbered: Sequence[Clause]) -> tuple[Clause, ...]:
    """Number the clauses with ids."""
    return tuple(renamed(clause, f"a{number}") for number, clause in enumerate(unnumbered))


def renamed(clause: Clause, name: str) -> Clause:
    fields = {field: getattr(clause, field) for field in Clause.__dataclass_fields__}
    return Clause(**{**fields, "id": name})


@st.composite
def policies(draw: st.DrawFn, *, among: st.SearchStrategy[Clause] | None = None) -> Policy:
    drawn = draw(st.lists(among or clauses(), max_size=4))
    return Policy(
        draw(st.sampled_from(["pol-1", "pol-2", "pol-3"])),
        draw(st.sampled_from(LEVELS)),
        numbered(drawn),
        is_supported=draw(st.integers(0, 9)) > 0,
    )


@st.composite
def statements(draw: st.DrawFn, values: st.SearchStrategy[Any]) -> Timeline:
    """Return up to two facts that do not overlap."""
    edges = sorted(draw(st.lists(moments, unique=True, min_size=2, max_size=4)))
    spans = list(zip(edges[::2], [*edges[1::2], None], strict=False))
    if draw(st.booleans()):
        spans[-1] = (spans[-1][0], None)
    return tuple(
        Fact(
            draw(st.one_of(values, values, values, st.none())),
            start,
            end,
            draw(st.one_of(st.none(), moments)),
            draw(st.sampled_from(ASSERTIONS)),
        )
        for start, end in spans
    )


def known_since_ever(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Timeline]:
    return values.map(lambda value: (Fact(value, MOMENTS[0], assertion="measured"),))


def statements_mostly_known(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Timeline]:
    return st.one_of(known_since_ever(values), known_since_ever(values), statements(values), st.just(()))


@st.composite
def certificates(draw: st.DrawFn) -> dict[str, Any]:
    start, end = sorted(draw(st.lists(moments, unique=True, min_size=2, max_size=2)))
    return {
        "scheme": draw(st.sampled_from(SCHEMES)),
        "version": draw(st.sampled_from([None, "1.0", "2", "2.1", "beta"])),
        "level": draw(st.sampled_from([None, "high", "high"])),
        "number": "N",
        "issuer": "I",
        "scope": draw(sets_of(("iaas", "backup"))),
        "valid_from": as_rfc3339(start),
        "valid_to": draw(st.sampled_from([None, as_rfc3339(end)])),
        "status": draw(st.sampled_from(["valid", "valid", "suspended", "withdrawn"])),
        "status_since": as_rfc3339(draw(moments)),
    }


@st.composite
def parts(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Return the parties by role in a zone; nearly always with an operator."""
    chosen = draw(st.lists(st.tuples(st.sampled_from(PARTY_ROLES[:3]), st.sampled_from(PARTY_IDS)), unique=True))
    if draw(st.integers(0, 9)):
        chosen = list(dict.fromkeys([("operator", draw(st.sampled_from(PARTY_IDS))), *chosen]))
    return [{"role": role, "party": party, "technical_access": draw(st.booleans())} for role, party in chosen]


@st.composite
def subjects(draw: st.DrawFn, prefix: str) -> dict[str, Timeline]:
    names = [name for name in UNIVERSE if name.startswith("party.") == (prefix == "party.") and name != "zone.id"]
    return {name: draw(statements_mostly_known(values_of(name))) for name in names}


@st.composite
def zones(draw: st.DrawFn, name: str) -> Zone:
    facts = draw(subjects("zone."))
    facts[PARTIES] = draw(statements_mostly_known(parts()))
    facts[CERTIFICATIONS] = draw(statements_mostly_known(st.lists(certificates(), max_size=3)))
    facts["location.lat"] = draw(statements_mostly_known(st.sampled_from([0, 1, 2.5])))
    facts["location.lon"] = draw(statements_mostly_known(st.sampled_from([0, 1.5])))
    return Zone(name, facts)


@st.composite
def any_world(draw: st.DrawFn) -> World:
    return World(
        zones={name: draw(zones(name)) for name in ZONE_IDS},
        parties={name: Subject(name, draw(subjects("party."))) for name in PARTY_IDS},
        sets={name: draw(statements_mostly_known(sets_of(TERRITORIES))) for name in SET_NAMES},
        scheme_classes={name: draw(statements_mostly_known(sets_of(SCHEMES))) for name in CLASS_NAMES},
    )


@dataclass(frozen=True)
class Question:
    """The zone, the reason and the moment of a query."""

    zone: str
    role: str
    now: datetime


questions = st.builds(Question, st.sampled_from(ZONE_IDS), st.sampled_from(ROLES[:6]), moments)
