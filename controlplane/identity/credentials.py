"""Look-up of the Actor for a credential."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import OuterRef, Q, QuerySet, Subquery

from controlplane.identity.actor import Actor, Scope
from controlplane.identity.errors import ServiceAccountDisabled, TokenExpired, TokenRevoked, UserEnded, UserSuspended
from controlplane.identity.models import ApiToken, Grant, Membership, Organization, ServiceAccount, User
from controlplane.identity.roles import AUDITOR, NO_ROLE, OPERATOR, SUPPORT, capped
from controlplane.kernel import clock
from controlplane.kernel.prepared_queries import Prepared

LAST_USE_RESOLUTION = timedelta(minutes=1)
OWNERS = ("user", "project__organization", "service_account__organization")


def _tokens(digest: Any) -> QuerySet[ApiToken]:
    return _with_owners().filter(sha256=digest)


def _with_owners() -> QuerySet[ApiToken]:
    member = Membership.objects.filter(user=OuterRef("user"), organization=OuterRef("project__organization"))
    return ApiToken.objects.select_related(*OWNERS).annotate(member_role=Subquery(member.values("role")))


TOKENS = Prepared(_tokens)


def token_of(secret: str) -> ApiToken | None:
    """Return the token with its owner, who has the role `member_role` in the project's organization; also an invalid
    one.
    """
    return TOKENS.first(hashlib.sha256(secret.encode()).digest())


def actor_of(secret: str, *, request_id: str = "", address: str | None = None) -> Actor | None:
    """Return the actor whose valid token has this secret; None: no token has it.

    Records use and address of the token, at most once a minute.

    A token gives no more than its owner's present roles do, and nothing when there are none: a change of roles also
    limits tokens issued before.

    Raises:
        TokenExpired, TokenRevoked, ServiceAccountDisabled, UserSuspended, UserEnded: the caller has the secret.
    """
    token = token_of(secret)
    if token is None:
        return None
    now = clock.now()
    _need_live(token, now)
    actor = actor_for_token(token, request_id=request_id)
    if actor is not None:
        _record_use(token, now, address)
    return actor


def refresh_actor(token_id: UUID, *, request_id: str = "") -> Actor | None:
    """Return the actor of this token with its present rights; None: it has none, or the id is no token's.

    Raises:
        TokenExpired, TokenRevoked, ServiceAccountDisabled, UserSuspended, UserEnded
    """
    token = _with_owners().filter(pk=token_id).first()
    if token is None:
        return None
    _need_live(token, clock.now())
    return actor_for_token(token, request_id=request_id)


def actor_for_token(token: ApiToken, *, request_id: str = "") -> Actor | None:
    """Return the actor of a token with its present rights; None: it has none."""
    if token.service_account is not None:
        return _of_account(token, token.service_account, request_id)
    if token.project is not None:
        return _of_project(token, request_id)
    assert token.user is not None
    memberships = _capped(token, _memberships(token.user))
    platform_role = token.user.platform_role if token.is_platform else NO_ROLE
    if not memberships and not platform_role:
        return None
    return replace(_person(token.user, platform_role, memberships, token.pk, request_id), scope=scope_of(token))


def actor_for(user: User, *, credential_id: UUID, request_id: str = "") -> Actor:
    """Return the user with all present roles, for a credential without a project, such as a session."""
    return _person(user, user.platform_role, _memberships(user), credential_id, request_id)


def acting(user_id: UUID, *, organization: Organization | None) -> Actor:
    """Return a person with the present role in the organization, or (None) with the platform role.

    Without a role, or suspended, the actor may do nothing.
    """
    user = User.objects.filter(Q(pk=user_id), suspended_at=None, ended_at=None).first()
    member = Membership.objects.filter(Q(user=user), organization=organization).first()
    return Actor(
        user_id=user_id,
        credential_id=None,
        project_id=None,
        role=member.role if member is not None else NO_ROLE,
        is_operator=organization is None and user is not None and user.is_operator,
        organization_id=organization.pk if organization is not None else None,
    )


def need_active(user: User) -> None:
    """Check that the user is active. Raises UserSuspended, UserEnded."""
    if user.ended_at is not None:
        raise UserEnded(at=user.ended_at.isoformat(timespec="seconds"))
    if user.suspended_at is not None:
        raise UserSuspended(at=user.suspended_at.isoformat(timespec="seconds"))


def scope_of(token: ApiToken) -> Scope:
    project_ids = token.project_ids if token.project_id is None else [token.project_id]
    return Scope.of(token.verbs, token.kinds, project_ids)


def _person(
    user: User, platform_role: str, memberships: Mapping[UUID, str], credential_id: UUID, request_id: str
) -> Actor:
    return Actor(
        user_id=user.pk,
        credential_id=credential_id,
        project_id=None,
        role=platform_role,
        is_operator=platform_role == OPERATOR,
        request_id=request_id,
        is_auditor=platform_role == AUDITOR,
        is_support=platform_role == SUPPORT,
        memberships=memberships,
    )


def _of_project(token: ApiToken, request_id: str) -> Actor | None:
    project, user = token.project, token.user
    assert project is not None
    if user is None or project.deleted_at is not None or project.organization.deleted_at is not None:
        return None
    member_role: str | None = token.member_role  # type: ignore[attr-defined]
    role = capped(token.role, member_role) if member_role is not None else NO_ROLE
    if not role:
        return None
    return Actor(
        user_id=user.pk,
        credential_id=token.pk,
        project_id=project.pk,
        role=role,
        request_id=request_id,
        organization_id=project.organization_id,
        scope=scope_of(token),
        project=project,
    )


def _of_account(token: ApiToken, account: ServiceAccount, request_id: str) -> Actor | None:
    if account.organization.deleted_at is not None:
        return None
    grants = {grant.project_id: grant.role for grant in Grant.objects.filter(service_account=account)}
    everywhere = {account.organization_id: grants.pop(None)} if None in grants else {}
    if not everywhere and not grants:
        return None
    return Actor(
        user_id=None,
        credential_id=token.pk,
        project_id=None,
        role=NO_ROLE,
        request_id=request_id,
        memberships=_capped(token, everywhere),
        grants=_capped(token, {key: role for key, role in grants.items() if key is not None}),
        service_account_id=account.pk,
        scope=scope_of(token),
    )


def _memberships(user: User) -> dict[UUID, str]:
    rows = Membership.objects.filter(user=user, organization__deleted_at=None)
    return dict(rows.values_list("organization_id", "role"))


def _capped(token: ApiToken, roles: Mapping[UUID, str]) -> dict[UUID, str]:
    left = {project_id: capped(token.role, role) for project_id, role in roles.items()}
    return {project_id: role for project_id, role in left.items() if role}


def _need_live(token: ApiToken, now: datetime) -> None:
    if token.user is not None:
        need_active(token.user)
    if token.revoked_at is not None:
        raise TokenRevoked(at=token.revoked_at.isoformat(timespec="seconds"))
    if token.expires_at <= now:
        raise TokenExpired(at=token.expires_at.isoformat(timespec="seconds"))
    if token.service_account is not None and token.service_account.disabled_at is not None:
        raise ServiceAccountDisabled(name=token.service_account.name)


def _record_use(token: ApiToken, now: datetime, address: str | None) -> None:
    is_noted = token.last_used_at is not None and now - token.last_used_at <= LAST_USE_RESOLUTION
    if not is_noted or token.last_used_from != address:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now, last_used_from=address)
