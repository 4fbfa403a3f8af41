"""Which role includes which, and what is left of a credential's role when its owner has another one now."""

from collections.abc import Collection, Mapping

from controlplane.identity.models import Role

OFFICER = Role.SOVEREIGNTY_OFFICER
NO_ROLE = ""
# Duties for the platform. Users have them by a mark of their own, not by a membership.
OPERATOR, SUPPORT, AUDITOR = PLATFORM = ("operator", "support", "auditor")

_VIEWER = frozenset({Role.VIEWER})
_MEMBER = _VIEWER | {Role.MEMBER}
_ADMIN = _MEMBER | {Role.ADMIN, Role.BILLING}
# An officer's is a duty of its own: it reads like a viewer, and no role stands above it.
INCLUDES: Mapping[str, frozenset[str]] = {
    Role.OWNER: _ADMIN | {Role.OWNER},
    Role.ADMIN: _ADMIN,
    Role.MEMBER: _MEMBER,
    Role.VIEWER: _VIEWER,
    Role.BILLING: frozenset({Role.BILLING}),
    OFFICER: _VIEWER | {OFFICER},
}


def includes(held: str, wanted: str) -> bool:
    """Whether somebody with the role `held` may pass on, or end, a credential with the role `wanted`."""
    return wanted in INCLUDES.get(held, ())


# In which order roles are named to whoever has none of them.
LEAST_FIRST = (Role.VIEWER, Role.BILLING, Role.MEMBER, Role.ADMIN, OFFICER, Role.OWNER)


def least(roles: Collection[str]) -> list[str]:
    """Which of the roles to ask for: those of an organization that include no other one of `roles`; where there are
    none, the duties for the platform."""
    of_organization = [role.value for role in LEAST_FIRST if role in roles]
    found = [
        role for role in of_organization if not any(includes(role, other) for other in of_organization if other != role)
    ]
    return found or [duty for duty in PLATFORM if duty in roles]


def capped(wanted: str, held: str) -> str:
    """What a credential with the role `wanted` (empty: whatever its owner has) is good for while its owner has the role
    `held`; NO_ROLE: for nothing."""
    if not wanted or includes(wanted, held):
        return held
    if includes(held, wanted):
        return wanted
    return Role.VIEWER if includes(held, Role.VIEWER) and includes(wanted, Role.VIEWER) else NO_ROLE
