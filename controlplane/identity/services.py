"""Organizations, projects, users and tokens: the writes."""

import hashlib
import secrets
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from controlplane.identity.actor import Actor
from controlplane.identity.errors import DutiesMixed, NameTaken, RoleNeeded, TokenLifetimeInvalid
from controlplane.identity.models import ApiToken, Membership, Organization, Project, Role, User
from controlplane.identity.roles import OFFICER, includes
from controlplane.identity.selectors import token_get
from controlplane.kernel import clock
from controlplane.kernel.db import refusing
from controlplane.kernel.names import check_name
from controlplane.kernel.reasons import Reason

TOKEN_LIFETIME_MAX_DAYS = 366


@transaction.atomic
def organization_create(*, name: str) -> Organization:
    with refusing("identity_organization_name_taken", NameTaken(field="name", kind=Reason("organization"), name=name)):
        return Organization.objects.create(name=check_name(name))


@transaction.atomic
def project_create(organization: Organization, *, name: str) -> Project:
    with refusing("identity_project_name_taken", NameTaken(field="name", kind=Reason("project"), name=name)):
        return Project.objects.create(organization=organization, name=check_name(name))


@transaction.atomic
def user_create(*, email: str, is_operator: bool = False, is_auditor: bool = False) -> User:
    with refusing("identity_user_email_taken", NameTaken(field="email", kind=Reason("user"), name=email)):
        return User.objects.create(email=email, is_operator=is_operator, is_auditor=is_auditor)


@transaction.atomic
def membership_set(organization: Organization, *, user: User, role: str) -> Membership:
    """Make the user a member in this role; an earlier role is replaced.

    Raises:
        DutiesMixed: who runs or audits the platform does not decide what its customers demand of it.
    """
    if role == OFFICER and (user.is_operator or user.is_auditor):
        raise DutiesMixed(email=user.email)
    membership, _ = Membership.objects.update_or_create(
        organization=organization, user=user, defaults={"role": Role(role)}
    )
    return membership


@transaction.atomic
def token_issue(
    user: User, *, project: Project | None, name: str, role: str, lifetime: timedelta
) -> tuple[ApiToken, str]:
    """A new credential and its secret, which is returned here and never again.

    Raises:
        TokenLifetimeInvalid: `lifetime` is not within 1 to TOKEN_LIFETIME_MAX_DAYS days.
        NameTaken: the project has a live token of that name.
    """
    if not timedelta(days=1) <= lifetime <= timedelta(days=TOKEN_LIFETIME_MAX_DAYS):
        raise TokenLifetimeInvalid(field="lifetime_days", limit_days=TOKEN_LIFETIME_MAX_DAYS)
    secret = f"andromede_{secrets.token_urlsafe(32)}"
    with refusing("identity_token_name_taken", NameTaken(field="name", kind=Reason("token"), name=name)):
        token = ApiToken.objects.create(
            user=user,
            project=project,
            name=check_name(name),
            role=Role(role),
            prefix=secret[:15],
            sha256=hashlib.sha256(secret.encode()).digest(),
            expires_at=clock.now() + lifetime,
        )
    return token, secret


@transaction.atomic
def token_create(actor: Actor, project: Project, *, name: str, role: str, lifetime_days: int) -> tuple[ApiToken, str]:
    """Issue a token to the actor's own user, with at most the actor's own role."""
    actor.may_write()
    if not includes(actor.role, role):
        raise RoleNeeded(role=role)
    user = User.objects.get(Q(pk=actor.user_id))
    return token_issue(user, project=project, name=name, role=role, lifetime=timedelta(days=lifetime_days))


@transaction.atomic
def token_revoke(actor: Actor, project: Project, *, token_id: UUID) -> None:
    """The token stops working at once; revoking it again changes nothing.

    Raises:
        RoleNeeded: it is another user's, with a higher role than the actor's.
    """
    actor.may_write()
    token = token_get(actor, project, token_id)
    if token.user_id != actor.user_id and not includes(actor.role, token.role):
        raise RoleNeeded(role=token.role)
    ApiToken.objects.filter(pk=token.pk, revoked_at__isnull=True).update(revoked_at=clock.now())
