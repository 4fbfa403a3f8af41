"""Which role includes which, and what is left of a credential's role when its user has another one now."""

from controlplane.identity.models import Role

RANK = {Role.VIEWER: 0, Role.MEMBER: 1, Role.ADMIN: 2, Role.OWNER: 3}
# A duty of its own: it reads like a viewer, and no rank stands above it.
OFFICER = Role.SOVEREIGNTY_OFFICER


def includes(held: str, wanted: str) -> bool:
    """Whether somebody with the role `held` may pass on, or end, a credential with the role `wanted`."""
    if wanted == OFFICER:
        return held == OFFICER
    return RANK.get(Role(held), RANK[Role.VIEWER]) >= RANK[Role(wanted)]


def capped(wanted: str, held: str) -> str:
    """What a credential with the role `wanted` is good for while its user has the role `held`."""
    if includes(held, wanted):
        return wanted
    return held if held in RANK and wanted in RANK else Role.VIEWER
