"""A rule of the authorization table, and the usual rules of one kind of resource."""

from collections.abc import Mapping
from dataclasses import dataclass

from controlplane.identity.authorization_terms import (
    CREATE,
    DELETE,
    MEMBERS,
    METADATA,
    READ,
    UPDATE,
    Roles,
)


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule.

    `is_of_organization`: it requires a credential for the whole organization, not one for some of its projects.
    """

    kind: str
    verb: str
    roles: Roles
    is_of_organization: bool = False

    @property
    def scope(self) -> str:
        return f"{self.kind}:{self.verb}"


def rules_of(kind: str, rows: Mapping[str, tuple[str, Roles]], *, is_of_organization: bool = False) -> dict[str, Rule]:
    """Return the rules of one kind, by operation_id."""
    return {name: Rule(kind, verb, roles, is_of_organization) for name, (verb, roles) in rows.items()}


def usual_rules(kind: str, noun: str, *verbs: str) -> dict[str, Rule]:
    """Return the usual rules: members create, everyone in the project reads."""
    rules = {
        "list": (READ, METADATA),
        "get": (READ, METADATA),
        "create": (CREATE, MEMBERS),
        "update": (UPDATE, MEMBERS),
        "delete": (DELETE, MEMBERS),
    }
    return rules_of(kind, {f"{noun}_{verb}": rules[verb] for verb in verbs})
