"""Policies: conjunctions of typed clauses about a zone. Standard library only: nodes run this too.

There is no negation, disjunction, priority or "allow": another policy can only narrow what is admissible.
An attribute is a row of ATTRIBUTES (its type and legal operators), an operator a row of OPERATORS; nothing
else type-checks.
"""

import re
import reprlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from .facts import ZoneFacts

MAX_ATOMS_PER_LAYER = 64
MAX_ATOMS_EFFECTIVE = 256
MAX_VALUES = 256

Level = Literal["platform", "organization", "project", "resource"]
Truth = Literal["T", "F", "U"]
AtomCode = Literal["OK", "ATTR_MISMATCH", "ATTR_UNKNOWN"]

_LEVELS: Mapping[str, Level] = {level: level for level in get_args(Level)}
_CODES: Mapping[Truth, AtomCode] = {"T": "OK", "F": "ATTR_MISMATCH", "U": "ATTR_UNKNOWN"}
_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_ZONE_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_POLICY_FIELDS = ("id", "level", "atoms")
_ATOM_FIELDS = ("id", "attr", "op", "value")


class PolicyError(ValueError):
    """A policy that does not parse or type-check.

    `atom` is the id of the atom at fault (None when the fault is not in an atom, or its id is the fault),
    `field` the JSON pointer of the value at fault inside the policy document.
    """

    def __init__(self, reason: str, *, field: str, atom: str | None = None) -> None:
        self.reason, self.field, self.atom = reason, field, atom
        super().__init__(f"{field or '/'}{f' (atom {atom})' if atom else ''}: {reason}")


@dataclass(frozen=True, slots=True)
class Atom:
    """One clause; `value` is sorted and without repetitions, so that equal clauses are equal values."""

    id: str
    attr: str
    op: str
    value: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """All its atoms must hold."""

    id: str
    level: Level
    atoms: tuple[Atom, ...]


@dataclass(frozen=True, slots=True)
class AtomRef:
    policy: str
    level: Level
    atom: str


@dataclass(frozen=True, slots=True)
class AtomResult:
    """`detail` is the value found, as text; empty when none was found."""

    ref: AtomRef
    result: Truth
    code: AtomCode
    detail: str


@dataclass(frozen=True, slots=True)
class Attribute:
    """`is_value` says whether a value has the attribute's type; a fact of another type counts as unknown."""

    type_name: str
    is_value: Callable[[object], bool]
    operators: frozenset[str]


@dataclass(frozen=True, slots=True)
class Operator:
    """`parse` makes the atom's value of the written one or raises ValueError; `holds` tests a fact by it."""

    parse: Callable[[object, Attribute], tuple[str, ...]]
    holds: Callable[[object, tuple[str, ...]], bool]


def _is_zone_id(value: object) -> bool:
    return isinstance(value, str) and len(value) <= 64 and _ZONE_ID.fullmatch(value) is not None


def _parse_list(raw: object, attribute: Attribute) -> tuple[str, ...]:
    if not isinstance(raw, list | tuple) or not raw:
        raise ValueError(f"must be a list with at least one {attribute.type_name}")
    if len(raw) > MAX_VALUES:
        raise ValueError(f"must have at most {MAX_VALUES} values")
    for value in raw:
        if not attribute.is_value(value):
            raise ValueError(f"{reprlib.repr(value)} is not a {attribute.type_name}")
    return tuple(sorted(set(raw)))


ATTRIBUTES: Mapping[str, Attribute] = {
    "zone.id": Attribute(type_name="zone id", is_value=_is_zone_id, operators=frozenset({"in"})),
}

OPERATORS: Mapping[str, Operator] = {
    "in": Operator(parse=_parse_list, holds=lambda fact, values: fact in values),
}


def parse(document: object) -> Policy:
    """The policy that a decoded JSON document `{id, level, atoms[]}` states.

    Raises:
        PolicyError: unknown or missing field, wrong type, attribute or operator; repeated id; over a limit.
    """
    body = _fields(document, _POLICY_FIELDS, at="")
    policy_id, level, atoms = body["id"], body["level"], body["atoms"]
    if not isinstance(level, str) or level not in _LEVELS:
        raise PolicyError(f"must be one of {', '.join(_LEVELS)}", field="/level")
    if not isinstance(atoms, list):
        raise PolicyError("must be a list", field="/atoms")
    if len(atoms) > MAX_ATOMS_PER_LAYER:
        raise PolicyError(f"must have at most {MAX_ATOMS_PER_LAYER} atoms", field="/atoms")
    parsed = tuple(_parse_atom(atom, at=f"/atoms/{index}") for index, atom in enumerate(atoms))
    _refuse_repeated_ids(parsed)
    return Policy(id=_parse_id(policy_id, at="/id"), level=_LEVELS[level], atoms=parsed)


def _parse_atom(document: object, *, at: str) -> Atom:
    body = _fields(document, _ATOM_FIELDS, at=at)
    atom_id = _parse_id(body["id"], at=f"{at}/id")
    attr, op = body["attr"], body["op"]
    if not isinstance(attr, str) or attr not in ATTRIBUTES:
        raise PolicyError(f"unknown attribute {reprlib.repr(attr)}", field=f"{at}/attr", atom=atom_id)
    attribute = ATTRIBUTES[attr]
    if not isinstance(op, str) or op not in attribute.operators:
        legal = ", ".join(sorted(attribute.operators))
        raise PolicyError(f"{attr} takes only: {legal}", field=f"{at}/op", atom=atom_id)
    try:
        value = OPERATORS[op].parse(body["value"], attribute)
    except ValueError as exc:
        raise PolicyError(str(exc), field=f"{at}/value", atom=atom_id) from exc
    return Atom(id=atom_id, attr=attr, op=op, value=value)


def _fields(document: object, names: Sequence[str], *, at: str) -> Mapping[str, object]:
    if not isinstance(document, Mapping):
        raise PolicyError("must be an object", field=at)
    atom = document.get("id") if at and isinstance(document.get("id"), str) else None
    for name in document:
        if name not in names:
            raise PolicyError("unknown field", field=f"{at}/{name}", atom=atom)
    for name in names:
        if name not in document:
            raise PolicyError("missing", field=f"{at}/{name}", atom=atom)
    return document


def _parse_id(raw: object, *, at: str) -> str:
    if not isinstance(raw, str) or not _ID.fullmatch(raw):
        raise PolicyError("must be 1 to 64 characters of a-z, 0-9, '.', '_', '-', and begin with a-z or 0-9", field=at)
    return raw


def _refuse_repeated_ids(atoms: Sequence[Atom]) -> None:
    seen: set[str] = set()
    for index, atom in enumerate(atoms):
        if atom.id in seen:
            raise PolicyError("another atom of this policy has that id", field=f"/atoms/{index}/id", atom=atom.id)
        seen.add(atom.id)


def evaluate(policies: Sequence[Policy], zone: ZoneFacts | None) -> tuple[AtomResult, ...]:
    """One result per atom, in order, however many fail: the remedy is per atom. Only T admits.

    A zone of which nothing is known (None) leaves every atom unknown.

    Raises:
        PolicyError: more than MAX_ATOMS_EFFECTIVE atoms together.
    """
    return tuple(_evaluate_atom(ref, atom, zone) for ref, atom in _effective(policies))


def _evaluate_atom(ref: AtomRef, atom: Atom, zone: ZoneFacts | None) -> AtomResult:
    fact = zone.value(atom.attr) if zone is not None else None
    if fact is None or not ATTRIBUTES[atom.attr].is_value(fact):
        return AtomResult(ref, "U", _CODES["U"], "")
    truth: Truth = "T" if OPERATORS[atom.op].holds(fact, atom.value) else "F"
    return AtomResult(ref, truth, _CODES[truth], str(fact))


def unsatisfiable(policies: Sequence[Policy]) -> tuple[AtomRef, ...]:
    """The fewest `in` atoms that no value satisfies together (EMPTY_INTERSECTION); none if all can hold."""
    by_attribute: dict[str, list[tuple[AtomRef, Atom]]] = {}
    for ref, atom in _effective(policies):
        if atom.op == "in":
            by_attribute.setdefault(atom.attr, []).append((ref, atom))
    return tuple(ref for atoms in by_attribute.values() for ref, _ in _contradiction(atoms))


def _contradiction(atoms: list[tuple[AtomRef, Atom]]) -> list[tuple[AtomRef, Atom]]:
    if _common(atoms):
        return []
    for one in list(atoms):
        fewer = [other for other in atoms if other is not one]
        if not _common(fewer):
            atoms = fewer
    return atoms


def _common(atoms: Sequence[tuple[AtomRef, Atom]]) -> bool:
    """Whether some value is in all of them (no atom at all leaves every value)."""
    return not atoms or bool(frozenset.intersection(*(frozenset(atom.value) for _, atom in atoms)))


def _effective(policies: Sequence[Policy]) -> list[tuple[AtomRef, Atom]]:
    atoms = [(AtomRef(policy.id, policy.level, atom.id), atom) for policy in policies for atom in policy.atoms]
    if len(atoms) > MAX_ATOMS_EFFECTIVE:
        raise PolicyError(
            f"the policies have {len(atoms)} atoms together; {MAX_ATOMS_EFFECTIVE} is the limit", field=""
        )
    return atoms
