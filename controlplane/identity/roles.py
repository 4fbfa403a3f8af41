"""Which role includes which, and what is left of a credential's role when its owner has another one now."""

from collections.abc import Mapping

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


def capped(wanted: str, held: str) -> str:
    """What a credential with the role `wanted` (empty: whatever its owner has) is good for while its owner has the role
    `held`; NO_ROLE: for nothing."""
    if not wanted or includes(wanted, held):
        return held
    if includes(held, wanted):
        return wanted
    return Role.VIEWER if includes(held, Role.VIEWER) and includes(wanted, Role.VIEWER) else NO_ROLE
