"""Token services: issue and revoke. The secret is shown once."""

import hashlib
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, TypedDict
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from andromede_core.documents.messages import Message
from controlplane.audit.services import record, record_of_organization, record_of_user
from controlplane.identity.actor import SYSTEM, Actor, Scope
from controlplane.identity.errors import MoreThanOwn, NameTaken, RoleNeeded, TokenLifetimeInvalid, TokensMany
from controlplane.identity.models import ApiToken, Project, Role, ServiceAccount, User
from controlplane.identity.roles import includes
from controlplane.identity.selectors import own_tokens, token_get
from controlplane.kernel import clock
from controlplane.kernel.db import raise_on_violation
from controlplane.kernel.names import check_name

TOKEN_LIFETIME_MAX_DAYS = 366
PREFIX_LENGTH = 15


@dataclass(frozen=True)
class NewToken:
    """A token to create. `role` empty: the owner's roles. `project_ids` None: all that its owner sees."""

    name: str
    role: str
    lifetime: timedelta
    verbs: Sequence[str] | None = None
    kinds: Sequence[str] | None = None
    project_ids: Sequence[UUID] | None = None
    is_platform: bool = False

    @property
    def scope(self) -> Scope:
        return Scope.of(self.verbs, self.kinds, self.project_ids)


@transaction.atomic
def token_issue(
    user: User, *, project: Project | None, name: str, role: str, lifetime: timedelta
) -> tuple[ApiToken, str]:
    """Issue a token of a user, by an administrator of the platform's machines.

    Without a project it is valid wherever the user has a role, and for the user's platform role.

    Raises:
        TokenLifetimeInvalid, NameTaken, TokensMany
    """
    new = NewToken(name, role, lifetime, is_platform=project is None and user.platform_role != "")
    return _issue(SYSTEM, new, user=user, project=project)


@transaction.atomic
def token_create(actor: Actor, project: Project, new: NewToken) -> tuple[ApiToken, str]:
    """Create a token for one project, for the actor's own user or service account, with at most the actor's own role.

    Raises:
        RoleNeeded, MoreThanOwn, TokenLifetimeInvalid, NameTaken, TokensMany
    """
    if not includes(actor.role, new.role):
        raise RoleNeeded(role=new.role)
    _need_no_more(actor, replace(new, project_ids=[project.pk]))
    return _issue(actor, new, **_owner(actor), project=project)


@transaction.atomic
def own_token_create(actor: Actor, new: NewToken) -> tuple[ApiToken, str]:
    """Create a token for the actor's own user or service account, valid wherever that has a role.

    Raises:
        RoleNeeded: the actor does not have the requested platform role.
        MoreThanOwn, TokenLifetimeInvalid, NameTaken, TokensMany
    """
    if new.is_platform and not actor.sees_all:
        raise RoleNeeded(role="operator")
    if actor.project_id is not None:
        raise MoreThanOwn(field="projects", what="projects")
    _need_no_more(actor, new)
    _need_role(actor, new.role)
    if own_tokens(actor).filter(project=None, name=new.name).exists():
        raise NameTaken(field="name", kind=Message("token"), name=new.name)
    return _issue(actor, new, **_owner(actor))


@transaction.atomic
def account_token_create(actor: Actor, account: ServiceAccount, new: NewToken) -> tuple[ApiToken, str]:
    """Create a token for a service account of the actor's organization, by one of its administrators.

    Raises:
        RoleNeeded: the account's rights exceed the actor's.
        MoreThanOwn, TokenLifetimeInvalid, NameTaken, TokensMany
    """
    for grant in account.grants.all():
        if not includes(actor.role, grant.role):
            raise RoleNeeded(role=grant.role)
    _need_no_more(actor, new)
    return _issue(actor, new, account=account)


@transaction.atomic
def token_revoke(actor: Actor, token: ApiToken) -> None:
    """Revoke a token at once, and the tokens that it has issued. Idempotent."""
    now, due = clock.now(), [token.pk]
    while due:
        for pk in due:
            if ApiToken.objects.filter(pk=pk, revoked_at=None).update(revoked_at=now, updated_at=now):
                _record(actor, "token.revoke", ApiToken.objects.get(pk=pk))
        due = list(ApiToken.objects.filter(parent__in=due, revoked_at=None).values_list("pk", flat=True))


@transaction.atomic
def project_token_revoke(actor: Actor, project: Project, *, token_id: UUID) -> None:
    """Revoke a token of the project.

    Raises:
        RoleNeeded: it belongs to another user, with a higher role than the actor's.
    """
    token = token_get(actor, project, token_id)
    if token.user_id != actor.user_id and not includes(actor.role, token.role):
        raise RoleNeeded(role=token.role)
    token_revoke(actor, token)


@transaction.atomic
def tokens_revoke(actor: Actor, tokens: Iterable[ApiToken]) -> None:
    for token in tokens:
        token_revoke(actor, token)


@transaction.atomic
def session_tokens_revoke(actor: Actor, user: User) -> None:
    """Revoke the tokens issued in sessions of the user, also for others' service accounts: a stolen session may have
    created them.
    """
    tokens_revoke(actor, list(ApiToken.objects.filter(issuer_id=user.pk, revoked_at=None)))


class TokenOwner(TypedDict):
    user: User | None
    account: ServiceAccount | None


def _owner(actor: Actor) -> TokenOwner:
    if actor.service_account_id is not None:
        return {"user": None, "account": ServiceAccount.objects.get(Q(pk=actor.service_account_id))}
    return {"user": User.objects.get(Q(pk=actor.user_id)), "account": None}


def _issue(
    actor: Actor,
    new: NewToken,
    *,
    user: User | None = None,
    account: ServiceAccount | None = None,
    project: Project | None = None,
) -> tuple[ApiToken, str]:
    """Issue a token and its secret, which is returned here only."""
    if not timedelta(days=1) <= new.lifetime <= timedelta(days=TOKEN_LIFETIME_MAX_DAYS):
        raise TokenLifetimeInvalid(field="lifetime_days", limit_days=TOKEN_LIFETIME_MAX_DAYS)
    _need_room(user, account)
    secret = f"andromede_{secrets.token_urlsafe(32)}"
    parent = ApiToken.objects.filter(Q(pk=actor.credential_id)).first()
    taken = NameTaken(field="name", kind=Message("token"), name=new.name)
    with (
        raise_on_violation("identity_token_account_name_taken", taken),
        raise_on_violation("identity_token_name_taken", taken),
    ):
        token = ApiToken.objects.create(
            user=user,
            service_account=account,
            project=project,
            parent=parent,
            issuer_id=actor.user_id if parent is None and actor.credential_id is not None else None,
            name=check_name(new.name),
            role=Role(new.role) if new.role else "",
            is_platform=new.is_platform,
            verbs=new.verbs,
            kinds=new.kinds,
            project_ids=new.project_ids,
            prefix=secret[:PREFIX_LENGTH],
            sha256=hashlib.sha256(secret.encode()).digest(),
            expires_at=_end(new.lifetime, parent),
        )
    _record(actor, "token.create", token, name=token.name, role=token.role)
    return token, secret


def _need_room(user: User | None, account: ServiceAccount | None) -> None:
    """Check the number of the owner's tokens.

    Raises TokensMany. Concurrent issues for the same owner wait until the transaction ends.
    """
    if user is not None:
        User.objects.select_for_update(no_key=True).get(Q(pk=user.pk))
    if account is not None:
        ServiceAccount.objects.select_for_update(no_key=True).get(Q(pk=account.pk))
    good = ApiToken.objects.filter(user=user, service_account=account, revoked_at=None, expires_at__gt=clock.now())
    if good.count() >= settings.TOKENS_PER_OWNER:
        raise TokensMany(limit=settings.TOKENS_PER_OWNER)


def _end(lifetime: timedelta, parent: ApiToken | None) -> datetime:
    """Return the expiry, no later than that of the token that issues it."""
    end = clock.now() + lifetime
    return end if parent is None else min(end, parent.expires_at)


def _need_no_more(actor: Actor, new: NewToken) -> None:
    """Raise MoreThanOwn naming what the actor's own scope lacks."""
    mine, theirs = actor.scope, new.scope
    limits: dict[str, tuple[frozenset[Any] | None, frozenset[Any] | None]] = {
        "verbs": (mine.verbs, theirs.verbs),
        "kinds": (mine.kinds, theirs.kinds),
        "projects": (mine.project_ids, theirs.project_ids),
    }
    for field, (own, requested) in limits.items():
        if own is not None and (requested is None or not requested <= own):
            lacking = sorted(str(each) for each in requested - own) if requested is not None else [field]
            raise MoreThanOwn(field=field, what=", ".join(lacking))


def _need_role(actor: Actor, role: str) -> None:
    """Check the role of a new token: a token with a limited role issues none with a higher one, and none without a
    limit. Its owner's roles limit both. Raises MoreThanOwn.
    """
    parent = ApiToken.objects.filter(Q(pk=actor.credential_id)).first()
    if parent is None:
        return
    if parent.role and not (role and includes(parent.role, role)):
        raise MoreThanOwn(field="role", what=role or "role")


def _record(actor: Actor, verb: str, token: ApiToken, **facts: object) -> None:
    """Audit the token where it is valid: in its project, in the organization of its service account, or in each
    organization of its user.
    """
    if token.service_account is not None:
        organization_id, account = token.service_account.organization_id, str(token.service_account_id)
        record_of_organization(actor, verb, token.pk, organization_id, service_account=account, **facts)
    elif token.project_id is not None:
        record(actor, verb, token.pk, project_id=token.project_id, user=str(token.user_id), **facts)
    elif token.user_id is not None:
        record_of_user(actor, verb, token.user_id, resource_id=token.pk, user=str(token.user_id), **facts)
