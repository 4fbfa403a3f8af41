"""The words of the table of authorization: verbs, and who may."""

from collections.abc import Mapping
from typing import TypeAlias

Roles: TypeAlias = frozenset[str]

READ = "read"
CREATE = "create"
UPDATE = "update"
DELETE = "delete"
ACT = "act"
RULE = "rule"
OPERATE = "operate"
VERBS: Mapping[str, str] = {
    READ: "lists it and looks at it",
    CREATE: "makes one",
    UPDATE: "edits it",
    DELETE: "removes it",
    ACT: "has it do something, such as start or grow",
    RULE: "decides what is demanded of places",
    OPERATE: "runs the platform",
}

# Nobody need be known.
PUBLIC: Roles = frozenset({"public"})
# Whoever is known: it is the same for all of them, so that no scope is needed either.
SIGNED_IN: Roles = frozenset({"any signed-in"})
# Whoever is known, about what is their own.
OWN: Roles = frozenset({"oneself"})

OWNERS: Roles = frozenset({"owner"})
ADMINS: Roles = OWNERS | {"admin"}
MEMBERS: Roles = ADMINS | {"member"}
# What guests print and what is in them: for the project's own people alone.
INSIDERS: Roles = MEMBERS | {"viewer"}
OFFICERS: Roles = frozenset({"sovereignty_officer"})
OPERATORS: Roles = frozenset({"operator"})
# Who has an account, and which tokens open the platform.
SUPERVISORS: Roles = OPERATORS | {"auditor"}
NODES: Roles = frozenset({"operator", "support", "auditor"})
# What there is and in which state, but not what is in it.
METADATA: Roles = INSIDERS | OFFICERS | NODES
# What a bill is made of.
STATEMENT: Roles = METADATA | {"billing"}
# An organization's policy: its officers. An operator may demand more on its behalf, never less; services see to that.
RULERS: Roles = OFFICERS | OPERATORS
POLICY: Roles = MEMBERS | RULERS
PROPOSERS: Roles = POLICY
# Who did what in an organization, and from where.
WATCHERS: Roles = ADMINS | OFFICERS | NODES
# An export has every record of all projects.
EXPORTERS: Roles = OWNERS | OFFICERS | {"auditor"}
