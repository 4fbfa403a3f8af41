"""Terms of the authorization table: verbs, and groups of roles."""

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

# No authentication.
PUBLIC: Roles = frozenset({"public"})
# Every authenticated caller: the response is the same for all, so no scope is needed either.
SIGNED_IN: Roles = frozenset({"any signed-in"})
# Every authenticated caller, for its own account.
OWN: Roles = frozenset({"oneself"})

OWNERS: Roles = frozenset({"owner"})
ADMINS: Roles = OWNERS | {"admin"}
MEMBERS: Roles = ADMINS | {"member"}
# Output and contents of guests: only for members of the project.
INSIDERS: Roles = MEMBERS | {"viewer"}
OFFICERS: Roles = frozenset({"sovereignty_officer"})
OPERATORS: Roles = frozenset({"operator"})
# Accounts, and the tokens for the platform.
SUPERVISORS: Roles = OPERATORS | {"auditor"}
NODES: Roles = frozenset({"operator", "support", "auditor"})
# Resources and their states, but not their contents.
METADATA: Roles = INSIDERS | OFFICERS | NODES
# Data of a bill.
STATEMENT: Roles = METADATA | {"billing"}
# An organization's policy: its officers. An operator may demand more on its behalf, never less; services check that.
RULERS: Roles = OFFICERS | OPERATORS
POLICY: Roles = MEMBERS | RULERS
PROPOSERS: Roles = POLICY
# Audit of an organization: actors, actions and addresses.
WATCHERS: Roles = ADMINS | OFFICERS | NODES
# An export has every record of all projects.
EXPORTERS: Roles = OWNERS | OFFICERS | {"auditor"}
