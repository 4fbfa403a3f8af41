"""Who asks, and which projects they see."""

import hashlib
from datetime import timedelta
from uuid import UUID

from django.db.models import Q, QuerySet

from controlplane.identity.actor import Actor
from controlplane.identity.errors import OrganizationNotFound, ProjectNotFound, TokenNotFound
from controlplane.identity.models import ApiToken, Organization, Project, Role
from controlplane.kernel import clock
from controlplane.kernel.db import by_ref

LAST_USE_RESOLUTION = timedelta(minutes=1)


def actor_of(secret: str, *, request_id: str = "") -> Actor | None:
    """The actor whose live token has this secret, or None. Notes the token's use once a minute at most."""
    digest = hashlib.sha256(secret.encode()).digest()
    now = clock.now()
    token = (
        ApiToken.objects.select_related("user", "project")
        .filter(sha256=digest, revoked_at__isnull=True, expires_at__gt=now)
        .first()
    )
    if token is None:
        return None
    user, project = token.user, token.project
    if project is None and not (user.is_operator or user.is_auditor):
        return None
    if token.last_used_at is None or now - token.last_used_at > LAST_USE_RESOLUTION:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
    return Actor(
        user_id=token.user_id,
        credential_id=token.pk,
        project_id=token.project_id,
        role=Role.VIEWER if project is None and user.is_auditor else token.role,
        is_operator=project is None and user.is_operator,
        request_id=request_id,
        organization_id=project.organization_id if project else None,
        is_auditor=project is None and user.is_auditor,
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
