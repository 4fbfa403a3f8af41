"""Order of roles, and the effective role of a credential after its owner's role has changed."""

from collections.abc import Collection, Mapping

from controlplane.identity.models import Role

OFFICER = Role.SOVEREIGNTY_OFFICER
NO_ROLE = ""
# Platform roles. A user has them by a field, not by a membership.
OPERATOR, SUPPORT, AUDITOR = PLATFORM = ("operator", "support", "auditor")

_VIEWER = frozenset({Role.VIEWER})
_MEMBER = _VIEWER | {Role.MEMBER}
_ADMIN = _MEMBER | {Role.ADMIN, Role.BILLING}
# A sovereignty officer's role is separate: it reads like a viewer, and no role includes it.
INCLUDES: Mapping[str, frozenset[str]] = {
    Role.OWNER: _ADMIN | {Role.OWNER},
    Role.ADMIN: _ADMIN,
    Role.MEMBER: _MEMBER,
    Role.VIEWER: _VIEWER,
    Role.BILLING: frozenset({Role.BILLING}),
    OFFICER: _VIEWER | {OFFICER},
}


def includes(held: str, role: str) -> bool:
    """Return True if an actor with the role `held` may issue or revoke a credential with `role`."""
    return role in INCLUDES.get(held, ())


# Order in which an error names the roles.
LEAST_FIRST = (Role.VIEWER, Role.BILLING, Role.MEMBER, Role.ADMIN, OFFICER, Role.OWNER)


def least(roles: Collection[str]) -> list[str]:
    """Return the roles that an error names: the lowest ones of an organization in `roles`; without any, the platform
    roles.
    """
    of_organization = [role.value for role in LEAST_FIRST if role in roles]
    sufficient = [
        role for role in of_organization if not any(includes(role, other) for other in of_organization if other != role)
    ]
    return sufficient or [role for role in PLATFORM if role in roles]


def capped(role: str, held: str) -> str:
    """Return the effective role of a credential with `role` (empty: its owner's) while its owner has the
    role `held`; NO_ROLE: none.
    """
    if not role or includes(role, held):
        return held
    if includes(held, role):
        return role
    return Role.VIEWER if includes(held, Role.VIEWER) and includes(role, Role.VIEWER) else NO_ROLE
