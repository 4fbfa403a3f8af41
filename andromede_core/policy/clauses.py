"""Policies: conjunctions of typed clauses about a zone. Standard library only: nodes run this too.

There is no negation, disjunction, priority, wildcard or "allow": another policy can only narrow what is admissible. The
JSON form and its type check: document.py. The meaning of clauses: evaluation.py. The comparison of policies: order.py.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from andromede_core.documents.messages import Message
from andromede_core.facts.world import Assertion

MAX_CLAUSES_EFFECTIVE = 256

Level = Literal["platform", "organization", "project", "classification", "resource", "lineage"]
Role = Literal[
    "compute",
    "storage",
    "replica",
    "snapshot",
    "backup",
    "image",
    "key",
    "log",
    "metadata",
    "console",
    "admin",
    "netedge",
]

LEVELS: tuple[Level, ...] = get_args(Level)
ROLES: tuple[Role, ...] = get_args(Role)


class PolicyError(ValueError):
    """A policy that does not parse or type-check.

    `clause` is the id of the clause at fault (None when the fault is not in a clause, or its id is the fault),
    `field` the JSON pointer of the value at fault inside the policy document.
    """

    def __init__(self, reason: Message, *, field: str, clause: str | None = None) -> None:
        self.reason, self.field, self.clause = reason, field, clause
        super().__init__(f"{field or '/'}{f' (clause {clause})' if clause else ''}: {reason}")


@dataclass(frozen=True, slots=True)
class Certified:
    """The certificate that a clause demands. `scheme` beginning with @ is a class of schemes, any of which will do."""

    scheme: str
    min_version: str | None = None
    level: str | None = None
    scope: str | None = None
    min_remaining_days: int = 0


Value = tuple[str, ...] | bool | int | str | Certified


@dataclass(frozen=True, slots=True)
class Clause:
    """One clause. Lists in `value` are sorted and without repetitions, so that equal clauses are equal values.

    `roles`: the reasons for holding data that it applies to; none: all. `party_roles` (none: all) and
    `only_with_technical_access` choose the parties that an attribute of parties applies to: all of them must satisfy
    it. `assertion_min`: the weakest assurance of a fact that it accepts.
    """

    id: str
    op: str
    value: Value
    attr: str = ""
    roles: tuple[str, ...] = ()
    party_roles: tuple[str, ...] = ()
    only_with_technical_access: bool = False
    assertion_min: Assertion = "self_declared"
    is_waivable: bool = False

    def applies_to(self, roles: Collection[str]) -> bool:
        return not self.roles or any(role in roles for role in self.roles)

    @property
    def is_about_parties(self) -> bool:
        return self.attr.startswith("party.")


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy: all its clauses must hold.

    An unsupported policy admits nothing: it names a demand that this product cannot meet.
    """

    id: str
    level: Level
    clauses: tuple[Clause, ...] = ()
    is_supported: bool = True


@dataclass(frozen=True, slots=True)
class ClauseRef:
    policy: str
    level: Level
    clause: str


def effective(policies: Sequence[Policy]) -> list[tuple[ClauseRef, Clause]]:
    """Return all clauses with their policies.

    Raises:
        PolicyError: more than MAX_CLAUSES_EFFECTIVE together.
    """
    clauses = [
        (ClauseRef(policy.id, policy.level, clause.id), clause) for policy in policies for clause in policy.clauses
    ]
    if len(clauses) > MAX_CLAUSES_EFFECTIVE:
        raise PolicyError(
            Message(
                "the policies have {value} clauses together; {limit} is the limit",
                value=len(clauses),
                limit=MAX_CLAUSES_EFFECTIVE,
            ),
            field="",
        )
    return clauses


def names_of_sets(clause: Clause) -> tuple[str, ...]:
    """Return the named sets of territories, or the class of schemes, that the clause uses."""
    values = (clause.value.scheme,) if isinstance(clause.value, Certified) else clause.value
    return tuple(value for value in values if value.startswith("@")) if isinstance(values, tuple) else ()
