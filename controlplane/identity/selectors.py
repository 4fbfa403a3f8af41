"""Identity queries: organizations and projects that an actor sees, and their members, tokens and invitations."""

from uuid import UUID

from django.db.models import Q, QuerySet

from controlplane.identity.actor import Actor
from controlplane.identity.credentials import acting, actor_for, actor_of
from controlplane.identity.errors import (
    InvitationNotFound,
    MemberNotFound,
    OrganizationNotFound,
    ProjectAmbiguous,
    ProjectNotFound,
    ServiceAccountNotFound,
    TokenNotFound,
)
from controlplane.identity.models import (
    ApiToken,
    Invitation,
    Membership,
    Organization,
    Project,
    ServiceAccount,
    User,
)
from controlplane.kernel import clock
from controlplane.kernel.db import by_id, by_ref
from controlplane.kernel.names import as_uuid

__all__ = ["acting", "actor_for", "actor_of"]  # defined in credentials.py, and exported here too


def projects(actor: Actor) -> QuerySet[Project]:
    """Return the projects that the actor sees: all for an actor with a platform role, else the credential's own, or
    without one those of all organizations in which the actor has a role. A token that is limited to some projects sees
    no others.
    """
    visible = Project.objects.select_related("organization").filter(deleted_at=None, organization__deleted_at=None)
    if actor.scope.project_ids is not None:
        visible = visible.filter(pk__in=actor.scope.project_ids)
    if actor.sees_all:
        return visible
    own = Q(pk=actor.project_id) | Q(pk__in=actor.grants)
    return visible.filter(own | Q(organization__in=actor.memberships))


def project_get(actor: Actor, ref: str) -> Project:
    """Return the project by id or name; one that the actor may not see does not exist.

    Raises:
        ProjectNotFound
        ProjectAmbiguous: several of the organizations that the actor sees have a project of this name.
    """
    as_id = as_uuid(ref)
    own = actor.project
    if own is not None and own.pk == actor.project_id and (own.pk == as_id if as_id else own.name == ref):
        return own
    matches = list(projects(actor).filter(Q(pk=as_id) if as_id else Q(name=ref))[:2])
    if not matches:
        raise ProjectNotFound(name=ref)
    if len(matches) > 1:
        raise ProjectAmbiguous(name=ref)
    return matches[0]


def project_in(organization: Organization, ref: str) -> Project:
    """Return the organization's project, by id or name."""
    project = by_ref(Project.objects.filter(organization=organization, deleted_at=None), ref)
    if project is None:
        raise ProjectNotFound(name=ref)
    return project


def organizations(actor: Actor) -> QuerySet[Organization]:
    """Return the organizations in which the actor has a role; all for an actor with a platform role."""
    rows = Organization.objects.filter(deleted_at=None)
    return rows if actor.sees_all else rows.filter(pk__in=actor.organization_ids)


def organization_get(actor: Actor, ref: str) -> Organization:
    organization = by_ref(organizations(actor), ref)
    if organization is None:
        raise OrganizationNotFound(name=ref)
    return organization


def members(organization: Organization) -> QuerySet[Membership]:
    return Membership.objects.select_related("user").filter(organization=organization)


def member_get(organization: Organization, ref: str) -> Membership:
    """Return a member by the user's id or address."""
    membership = by_id(members(organization), ref) or by_user(members(organization), ref)
    if membership is None:
        raise MemberNotFound(name=ref)
    return membership


def by_user(rows: QuerySet[Membership], ref: str) -> Membership | None:
    user = by_id(User.objects.all(), ref)
    return rows.filter(user=user).first() if user is not None else rows.filter(user__email__iexact=ref).first()


def invitations(organization: Organization) -> QuerySet[Invitation]:
    """Return the pending invitations."""
    rows = waiting_invitations().select_related("organization", "invited_by")
    return rows.filter(organization=organization)


def waiting_invitations() -> QuerySet[Invitation]:
    """Return the pending invitations of all organizations: not accepted, not revoked, not expired."""
    return Invitation.objects.filter(accepted_at=None, revoked_at=None, expires_at__gt=clock.now())


def invitation_get(organization: Organization, ref: str) -> Invitation:
    """Return an invitation, also one that is not pending, so that revoking is idempotent."""
    invitation = by_id(Invitation.objects.filter(organization=organization), ref)
    if invitation is None:
        raise InvitationNotFound(name=ref)
    return invitation


def service_accounts(organization: Organization) -> QuerySet[ServiceAccount]:
    rows = ServiceAccount.objects.select_related("organization").prefetch_related("grants__project")
    return rows.filter(organization=organization)


def service_account_get(organization: Organization, ref: str) -> ServiceAccount:
    account = by_ref(service_accounts(organization), ref)
    if account is None:
        raise ServiceAccountNotFound(name=ref)
    return account


def own_tokens(actor: Actor) -> QuerySet[ApiToken]:
    """Return the tokens of the actor's own user or service account that have not been revoked."""
    return _live().filter(_is_of(actor))


def own_token_get(actor: Actor, ref: str) -> ApiToken:
    return _token(_all().filter(_is_of(actor)), ref)


def tokens(actor: Actor, project: Project) -> QuerySet[ApiToken]:
    """Return the project's tokens that have not been revoked."""
    return _live().filter(project__in=projects(actor).filter(pk=project.pk))


def token_get(actor: Actor, project: Project, token_id: UUID) -> ApiToken:
    """Return a token, also a revoked one, so that revoking is idempotent."""
    return _token(_all().filter(project__in=projects(actor).filter(pk=project.pk)), str(token_id))


def tokens_of(account: ServiceAccount) -> QuerySet[ApiToken]:
    return _live().filter(service_account=account)


def organization_tokens(organization: Organization) -> QuerySet[ApiToken]:
    """Return the tokens for the organization's projects and of its service accounts.

    Tokens of members that are valid in several organizations belong to the members, and lose their effect here with the
    membership.
    """
    return _live().filter(_is_good_in(organization))


def organization_token_get(organization: Organization, ref: str) -> ApiToken:
    return _token(_all().filter(_is_good_in(organization)), ref)


def platform_tokens() -> QuerySet[ApiToken]:
    """Return the tokens of all users for platform roles."""
    return _live().filter(is_platform=True)


def platform_token_get(ref: str) -> ApiToken:
    """Return a platform token, also a revoked one, so that revoking is idempotent."""
    return _token(_all().filter(is_platform=True), ref)


def _is_good_in(organization: Organization) -> Q:
    return Q(project__organization=organization) | Q(service_account__organization=organization)


def _is_of(actor: Actor) -> Q:
    """Return the condition for tokens of the actor; it matches none when the actor is neither a user nor a service
    account.
    """
    if actor.service_account_id is not None:
        return Q(service_account=actor.service_account_id)
    return Q(user=actor.user_id) if actor.user_id is not None else Q(pk=None)


def _all() -> QuerySet[ApiToken]:
    return ApiToken.objects.select_related("user", "service_account", "project")


def _live() -> QuerySet[ApiToken]:
    return _all().filter(revoked_at=None)


def _token(rows: QuerySet[ApiToken], ref: str) -> ApiToken:
    token = by_id(rows, ref)
    if token is None:
        raise TokenNotFound(name=ref)
    return token
