"""Who asks, and which projects they see."""

import hashlib
from datetime import timedelta
from uuid import UUID

from django.db.models import OuterRef, Q, QuerySet, Subquery

from controlplane.identity.actor import Actor
from controlplane.identity.errors import OrganizationNotFound, ProjectNotFound, TokenNotFound
from controlplane.identity.models import ApiToken, Membership, Organization, Project, Role, User
from controlplane.identity.roles import OFFICER, capped
from controlplane.kernel import clock
from controlplane.kernel.db import by_ref

LAST_USE_RESOLUTION = timedelta(minutes=1)


def actor_of(secret: str, *, request_id: str = "") -> Actor | None:
    """The actor whose live token has this secret, or None. Notes the token's use once a minute at most.

    A token gives no more than its user's present membership does, and nothing when there is none: whoever leaves or
    changes duty takes along what was issued before.
    """
    digest = hashlib.sha256(secret.encode()).digest()
    now = clock.now()
    token = (
        ApiToken.objects.select_related("user", "project")
        .annotate(member_role=Subquery(_memberships_of_token().values("role")))
        .filter(sha256=digest, revoked_at__isnull=True, expires_at__gt=now)
        .first()
    )
    if token is None:
        return None
    user, project = token.user, token.project
    role = _present_role(token, token.member_role)
    if role is None:
        return None
    if token.last_used_at is None or now - token.last_used_at > LAST_USE_RESOLUTION:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
    return Actor(
        user_id=token.user_id,
        credential_id=token.pk,
        project_id=token.project_id,
        role=role,
        is_operator=project is None and user.is_operator,
        request_id=request_id,
        organization_id=project.organization_id if project else None,
        is_auditor=project is None and user.is_auditor,
    )


def token_known(secret: str) -> ApiToken | None:
    """The token with this secret, whether it is good for anything or not."""
    digest = hashlib.sha256(secret.encode()).digest()
    return ApiToken.objects.select_related("project").filter(sha256=digest).first()


def _memberships_of_token() -> QuerySet[Membership]:
    return Membership.objects.filter(user=OuterRef("user"), organization=OuterRef("project__organization"))


def _present_role(token: ApiToken, member_role: str | None) -> str | None:
    """What the token is good for now; None: for nothing. Operators act in all projects, and are officers of none."""
    user = token.user
    if token.project is None:
        return token.role if user.is_operator else Role.VIEWER if user.is_auditor else None
    if user.is_operator and token.role != OFFICER:
        return token.role
    return capped(token.role, member_role) if member_role is not None else None


def acting(user_id: UUID, *, organization: Organization | None) -> Actor:
    """A person with the duty that they have now: in the organization, or (None) for the platform. Without one, they
    may do nothing but read."""
    user = User.objects.filter(Q(pk=user_id)).first()
    member = Membership.objects.filter(Q(user_id=user_id), organization=organization).first()
    return Actor(
        user_id=user_id,
        credential_id=None,
        project_id=None,
        role=member.role if member is not None else Role.VIEWER,
        is_operator=organization is None and user is not None and user.is_operator,
        organization_id=organization.pk if organization is not None else None,
    )


def projects(actor: Actor) -> QuerySet[Project]:
    """The projects that the actor sees: all for an operator or auditor, else the credential's own."""
    visible = Project.objects.select_related("organization")
    return visible if actor.sees_all else visible.filter(Q(pk=actor.project_id))


def project_get(actor: Actor, ref: str) -> Project:
    """The project by id or name; one that the actor may not see does not exist for them."""
    found = by_ref(projects(actor), ref)
    if found is None:
        raise ProjectNotFound(name=ref)
    return found


def organization_get(actor: Actor, ref: str) -> Organization:
    """The organization by id or name; to others than operators and auditors only the credential's own exists."""
    visible = Organization.objects.all() if actor.sees_all else Organization.objects.filter(Q(pk=actor.organization_id))
    found = by_ref(visible, ref)
    if found is None:
        raise OrganizationNotFound(name=ref)
    return found


def tokens(actor: Actor, project: Project) -> QuerySet[ApiToken]:
    """The project's tokens that have not been revoked."""
    return ApiToken.objects.filter(project__in=projects(actor).filter(pk=project.pk), revoked_at__isnull=True)


def token_get(actor: Actor, project: Project, token_id: UUID) -> ApiToken:
    """Also a revoked one, so that revoking twice is harmless."""
    found = ApiToken.objects.filter(project__in=projects(actor).filter(pk=project.pk), pk=token_id).first()
    if found is None:
        raise TokenNotFound(name=str(token_id))
    return found
