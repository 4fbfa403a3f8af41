"""Policies as JSON: strict parsing, with errors that name the clause, and writing. Standard library only.

An attribute is a row of attributes.ASKABLE, an operator a row of VALUES; nothing else type-checks.
"""

import re
import reprlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from andromede_core.documents.messages import Message, either
from andromede_core.documents.parsing import SLUG
from andromede_core.facts.attributes import (
    ASKABLE,
    CERTIFIED_NAME,
    CERTIFIED_NAME_WANTS,
    NONE,
    PARTY_ROLES,
    SET_NAME,
    Attribute,
    correction,
)
from andromede_core.facts.world import ASSERTIONS
from andromede_core.policy.clauses import LEVELS, ROLES, Certified, Clause, Policy, PolicyError, Value

# The member of signed and stored policies that holds the clauses.
ATOMS = "atoms"
MAX_CLAUSES_PER_LAYER = 64
MAX_VALUES = 256
MAX_DAYS = 3660
MAX_VERSION = 2**53 - 1
MAX_KM = 20_040  # half of the equator: nothing is farther away

CLAUSE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_VERSION = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6}){0,3}")

_OF_COPIES = ("backup", "replica")  # what may lie away from an original
_OF_ALL = ("id", "op", "roles", "waivable", "assertion_min")
_OF_CERTIFICATES = ("scheme", "min_version", "level", "scope", "min_remaining_days")
_OF_PARTIES = ("party_roles", "only_with_technical_access")


def parse(
    document: object, *, sets: Collection[str] | None = None, scheme_classes: Collection[str] | None = None
) -> Policy:
    """Parse a decoded JSON document `{id, level, atoms[], version?, unsupported?}`.

    The caller keeps the version, which is no part of the policy itself.

    `sets`, `scheme_classes`: the names that exist; None: any will do.

    Raises:
        PolicyError: unknown or missing field, wrong type, attribute, operator or set; repeated id; over a limit.
    """
    body = _fields(document, required=("id", "level", ATOMS), optional=("version", "unsupported"), at="")
    level, clauses, unsupported = body["level"], body[ATOMS], body.get("unsupported", False)
    if not isinstance(level, str) or level not in LEVELS:
        raise PolicyError(Message("must be one of {known}", known=", ".join(LEVELS)), field="/level")
    if not isinstance(clauses, list):
        raise PolicyError(Message("must be a list"), field=f"/{ATOMS}")
    if len(clauses) > MAX_CLAUSES_PER_LAYER:
        raise PolicyError(
            Message("must have at most {limit} clauses", limit=MAX_CLAUSES_PER_LAYER),
            field=f"/{ATOMS}",
        )
    if not isinstance(unsupported, bool):
        raise PolicyError(Message("must be true or false"), field="/unsupported")
    if not _is_whole(body.get("version", 1), 1, MAX_VERSION):
        raise PolicyError(Message("must be a whole number from 1 on"), field="/version")
    names = Names(sets, scheme_classes)
    parsed = tuple(
        _Reader(clause, at=f"/{ATOMS}/{index}", names=names).clause() for index, clause in enumerate(clauses)
    )
    _refuse_repeated_ids(parsed)
    return Policy(_id(body["id"], at="/id"), LEVELS[LEVELS.index(level)], parsed, is_supported=not unsupported)


def as_document(policy: Policy) -> dict[str, object]:
    """Write a policy. `parse` gives the policy back, and equal policies have equal documents."""
    clauses = [clause_document(clause) for clause in policy.clauses]
    document: dict[str, object] = {"id": policy.id, "level": policy.level, ATOMS: clauses}
    return document if policy.is_supported else document | {"unsupported": True}


def clause_document(clause: Clause) -> dict[str, object]:
    if isinstance(clause.value, Certified):
        demanded: dict[str, object] = {name: getattr(clause.value, name) for name in _OF_CERTIFICATES}
    else:
        demanded = {
            "attr": clause.attr,
            "value": list(clause.value) if isinstance(clause.value, tuple) else clause.value,
        }
    selected: dict[str, object] = {
        "roles": list(clause.roles),
        "party_roles": list(clause.party_roles),
        "only_with_technical_access": clause.only_with_technical_access,
        "assertion_min": "" if clause.assertion_min == ASSERTIONS[0] else clause.assertion_min,
        "waivable": clause.is_waivable,
    }
    optional = demanded | selected
    members = {name: value for name, value in optional.items() if value or (name == "value" and value is not None)}
    return {"id": clause.id, "op": clause.op, **members}


@dataclass(frozen=True, slots=True)
class Names:
    """The known named sets and scheme classes; None: any name is accepted."""

    sets: Collection[str] | None
    scheme_classes: Collection[str] | None


class _Reader:
    """Parses one clause; every error names it."""

    def __init__(self, document: object, *, at: str, names: Names) -> None:
        self.at, self.names = at, names
        if not isinstance(document, Mapping):
            raise PolicyError(Message("must be an object"), field=at)
        self.body: Mapping[str, object] = document
        raw = document.get("id")
        self.id = raw if isinstance(raw, str) and CLAUSE_ID.fullmatch(raw) else None

    def clause(self) -> Clause:
        op = self._operator()
        self._check_fields(op)
        _id(self.body["id"], at=f"{self.at}/id")
        attr = self._attribute(op)
        return Clause(
            id=str(self.id),
            op=op,
            value=VALUES[op](self, attr),
            attr=attr,
            roles=self._words("roles", _OF_COPIES if op == "min_distance_km" else ROLES),
            party_roles=self._words("party_roles", PARTY_ROLES),
            only_with_technical_access=self._flag("only_with_technical_access"),
            assertion_min=ASSERTIONS[ASSERTIONS.index(self._choice("assertion_min", ASSERTIONS))],
            is_waivable=self._flag("waivable"),
        )

    def _operator(self) -> str:
        op = self.body.get("op")
        if not isinstance(op, str) or op not in VALUES:
            self.fail(
                "op", Message("missing") if op is None else Message("must be one of {known}", known=", ".join(VALUES))
            )
        return op

    def _check_fields(self, op: str) -> None:
        needed: tuple[str, ...] = ("attr", "value")
        optional: tuple[str, ...] = (*_OF_ALL, *_OF_PARTIES)
        if op == "holds":
            needed, optional = ("scheme",), (*_OF_ALL, *_OF_CERTIFICATES)
        elif op == "min_distance_km":
            needed, optional = ("value",), _OF_ALL
        _fields(self.body, required=("id", *needed), optional=optional, at=self.at, clause=self.id)
        if op == "min_distance_km" and "roles" not in self.body:
            self.fail("roles", Message("missing: a distance is that of a copy, {known}", known=either(*_OF_COPIES)))

    def _attribute(self, op: str) -> str:
        if "attr" not in self.body:
            return ""
        attr = self.body["attr"]
        if not isinstance(attr, str) or attr not in ASKABLE:
            self.fail("attr", Message("unknown attribute {attr}", attr=reprlib.repr(attr)))
        legal = ASKABLE[attr].operators
        if op not in legal:
            self.fail(
                "op",
                Message(
                    "{attr} takes only: {known}", attr=attr, known=", ".join(sorted(legal)) or Message("no operator")
                ),
            )
        if not attr.startswith("party."):
            for name in _OF_PARTIES:
                if name in self.body:
                    self.fail(name, Message("{attr} is not about parties", attr=attr))
        return attr

    def listed(self, attr: str) -> Value:
        return self.members(attr, self.body["value"])

    def members(self, attr: str, raw: object) -> tuple[str, ...]:
        """Parse a list of members of the attribute's type; where those are territories, also names of sets (@EU)."""
        if not isinstance(raw, list | tuple) or not (raw or self._may_be_empty(attr)):
            self.fail("value", Message("must be a list with at least one value"))
        if len(raw) > MAX_VALUES:
            self.fail("value", Message("must have at most {limit} values", limit=MAX_VALUES))
        for value in raw:
            self._check_member(value, ASKABLE[attr])
        return tuple(sorted(set(raw)))

    def _may_be_empty(self, attr: str) -> bool:
        """Allow an empty list for attributes that may be empty: no exposure, no access."""
        return self.body["op"] == "subset" and not ASKABLE[attr].is_never_empty

    def _check_member(self, value: object, attribute: Attribute) -> None:
        if attribute.is_territory and isinstance(value, str) and SET_NAME.fullmatch(value):
            if self.names.sets is not None and value not in self.names.sets:
                self.fail("value", Message("there is no set {value}", value=value))
        elif attribute.member is None or not attribute.member(value):
            self.fail(
                "value",
                Message(
                    "{value} is not what {attr} is made of{hint}",
                    value=reprlib.repr(value),
                    attr=self.body["attr"],
                    hint=correction(attribute, value),
                ),
            )

    def plain_members(self, attr: str) -> Value:
        """Parse like `members`, or a single member; a set cannot be contained as a whole, since its members change."""
        raw = self.body["value"]
        members = self.members(attr, [raw] if isinstance(raw, str) else raw)
        if any(value.startswith("@") for value in members):
            self.fail("value", Message("must name territories one by one"))
        return members

    def exact(self, attr: str) -> Value:
        """Parse true or false, or the one word by which the attribute states absence."""
        raw, is_word = self.body["value"], ASKABLE[attr].member
        is_value = is_word(raw) if is_word is not None else isinstance(raw, bool)
        if not is_value:
            of_truth, of_word = Message("must be true or false"), Message("must be {wants}", wants=NONE)
            self.fail("value", of_truth if is_word is None else of_word)
        assert isinstance(raw, bool | str)
        return raw

    def bound(self, attr: str) -> Value:
        """Parse a value of the attribute itself: a share as text, a level as a number, or a word of its scale."""
        raw = self.body["value"]
        if not ASKABLE[attr].accepts(raw):
            self.fail("value", Message("must be {wants}", wants=ASKABLE[attr].wants))
        assert isinstance(raw, int | str)
        return raw

    def days(self, attr: str) -> Value:
        return self._count("value", minimum=1, maximum=MAX_DAYS)

    def kilometres(self, attr: str) -> Value:
        return self._count("value", minimum=1, maximum=MAX_KM)

    def certified(self, attr: str) -> Value:
        scheme = self.body["scheme"]
        if not isinstance(scheme, str) or not (CERTIFIED_NAME.fullmatch(scheme) or SET_NAME.fullmatch(scheme)):
            self.fail("scheme", Message("must name a certification scheme, or a class of them by @ and its name"))
        classes = self.names.scheme_classes
        if scheme.startswith("@") and classes is not None and scheme not in classes:
            self.fail("scheme", Message("there is no scheme class {scheme}", scheme=scheme))
        days = "min_remaining_days"
        return Certified(
            scheme=scheme,
            min_version=self._matching("min_version", _VERSION, Message("a version such as 3.2")),
            level=self._matching("level", CERTIFIED_NAME, CERTIFIED_NAME_WANTS),
            scope=self._scope(),
            min_remaining_days=self._count(days, minimum=0, maximum=MAX_DAYS) if days in self.body else 0,
        )

    def _scope(self) -> str | None:
        """Parse a scope as certificates write it. An upper-case letter is refused, since it would never match."""
        raw = self.body.get("scope")
        wants = Message("lower-case letters, digits and inner hyphens, such as iaas")
        if isinstance(raw, str) and SLUG.fullmatch(raw.lower()):
            wants = Message("{wants}; write {value}", wants=wants, value=raw.lower())
        return self._matching("scope", SLUG, wants)

    def _matching(self, name: str, pattern: re.Pattern[str], wants: Message) -> str | None:
        raw = self.body.get(name)
        if raw is None:
            return None
        if not isinstance(raw, str) or not pattern.fullmatch(raw):
            self.fail(name, Message("must be {wants}", wants=wants))
        return raw

    def _count(self, name: str, *, minimum: int, maximum: int) -> int:
        raw = self.body[name]
        if not isinstance(raw, int) or not _is_whole(raw, minimum, maximum):
            self.fail(
                name, Message("must be a whole number from {minimum} to {maximum}", minimum=minimum, maximum=maximum)
            )
        return raw

    def _words(self, name: str, among: Sequence[str]) -> tuple[str, ...]:
        if name not in self.body:
            return ()
        raw = self.body[name]
        if not isinstance(raw, list | tuple) or not raw or not all(isinstance(word, str) for word in raw):
            self.fail(name, Message("must be a list with at least one word"))
        for word in raw:
            if word not in among:
                self.fail(
                    name, Message("{word} is not one of {known}", word=reprlib.repr(word), known=", ".join(among))
                )
        return tuple(sorted(set(raw)))

    def _choice(self, name: str, among: Sequence[str]) -> str:
        raw = self.body.get(name, among[0])
        if not isinstance(raw, str) or raw not in among:
            self.fail(name, Message("must be one of {known}", known=", ".join(among)))
        return raw

    def _flag(self, name: str) -> bool:
        raw = self.body.get(name, False)
        if not isinstance(raw, bool):
            self.fail(name, Message("must be true or false"))
        return raw

    def fail(self, name: str, reason: Message) -> NoReturn:
        raise PolicyError(reason, field=f"{self.at}/{name}", clause=self.id)


# The closed list of operators, and the parser of the value that each compares with.
VALUES: Mapping[str, Callable[[_Reader, str], Value]] = {
    "in": _Reader.listed,
    "subset": _Reader.listed,
    "contains": _Reader.plain_members,
    "disjoint": _Reader.listed,
    "is": _Reader.exact,
    "le": _Reader.bound,
    "ge": _Reader.bound,
    "holds": _Reader.certified,
    "within_days": _Reader.days,
    "min_distance_km": _Reader.kilometres,
}


def _fields(
    document: object, *, required: Sequence[str], optional: Sequence[str], at: str, clause: str | None = None
) -> Mapping[str, object]:
    if not isinstance(document, Mapping):
        raise PolicyError(Message("must be an object"), field=at)
    for name in document:
        if name not in required and name not in optional:
            raise PolicyError(Message("unknown field"), field=f"{at}/{name}", clause=clause)
    for name in required:
        if name not in document:
            raise PolicyError(Message("missing"), field=f"{at}/{name}", clause=clause)
    return document


def _is_whole(raw: object, minimum: int, maximum: int) -> bool:
    return isinstance(raw, int) and not isinstance(raw, bool) and minimum <= raw <= maximum


def _id(raw: object, *, at: str) -> str:
    if not isinstance(raw, str) or not CLAUSE_ID.fullmatch(raw):
        raise PolicyError(
            Message("must be 1 to 64 letters, digits, '.', '_', '-', beginning with a letter or digit"), field=at
        )
    return raw


def _refuse_repeated_ids(clauses: Sequence[Clause]) -> None:
    seen: set[str] = set()
    for index, clause in enumerate(clauses):
        if clause.id in seen:
            raise PolicyError(
                Message("another clause of this policy has that id"), field=f"/{ATOMS}/{index}/id", clause=clause.id
            )
        seen.add(clause.id)
