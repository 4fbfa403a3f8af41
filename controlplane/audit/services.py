"""Append audit entries, inside the caller's transaction."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Model

from controlplane.audit.models import AuditEntry
from controlplane.audit.request_records import record_resource
from controlplane.events.services import audit_entry_events
from controlplane.identity.actor import Actor
from controlplane.identity.models import Membership
from controlplane.kernel.multi_insert import insert


@dataclass(frozen=True)
class Invoker:
    """Caller of a command of manage.py: `by` names the command and the Unix account; `user_id` is the user that the
    account claims to be, if any. Neither is proven.
    """

    by: str
    user_id: UUID | None = None


_invoker: ContextVar[Invoker | None] = ContextVar("invoker", default=None)


@contextmanager
def invoked_by(invoker: Invoker) -> Iterator[None]:
    """Record the invoker in every audit entry inside the block that has no user or credential."""
    token = _invoker.set(invoker)
    try:
        yield
    finally:
        _invoker.reset(token)


@dataclass(frozen=True)
class AuditScope:
    """Scope in which an audit entry is visible: a project (and so its organization), an organization alone, or, with
    neither, the platform alone.
    """

    project_id: UUID | None = None
    organization_id: UUID | None = None


def record(actor: Actor, verb: str, resource_id: UUID, *, project_id: UUID | None = None, **facts: object) -> None:
    """Record an audit entry. `facts` are JSON values without secrets. Published actions also become events."""
    insert(*_rows(actor, verb, resource_id, AuditScope(project_id or actor.project_id), facts))


def record_of_organization(
    actor: Actor, verb: str, resource_id: UUID, organization_id: UUID | None, **facts: object
) -> None:
    """Record an audit entry about an organization and none of its projects; None: about the platform."""
    insert(*_rows(actor, verb, resource_id, AuditScope(organization_id=organization_id), facts))


def audit_entry(
    actor: Actor, verb: str, resource_id: UUID, *, project_id: UUID | None = None, **facts: object
) -> list[Model]:
    """Return the rows of record(), for the caller to insert() with other rows."""
    return _rows(actor, verb, resource_id, AuditScope(project_id or actor.project_id), facts)


def record_in_scopes(
    actor: Actor,
    verb: str,
    resource_id: UUID,
    *,
    project_ids: Iterable[UUID] = (),
    organization_ids: Iterable[UUID] = (),
    **facts: object,
) -> None:
    """Record an action once in each project and organization that it concerns; without any, once for the platform."""
    scopes = [*map(AuditScope, project_ids), *(AuditScope(organization_id=each) for each in organization_ids)]
    for scope in scopes or [AuditScope()]:
        insert(*_rows(actor, verb, resource_id, scope, facts))


def record_of_user(actor: Actor, verb: str, user_id: UUID, *, resource_id: UUID | None = None, **facts: object) -> None:
    """Record an action on a user's account in each organization of which the user is a member.

    The facts must name no organization: each sees the same ones. `resource_id`: the object of the action, if not the
    user.
    """
    memberships = Membership.objects.filter(user=user_id, organization__deleted_at=None)
    organization_ids = list(memberships.values_list("organization", flat=True))
    record_in_scopes(actor, verb, resource_id or user_id, project_ids=(), organization_ids=organization_ids, **facts)


def _rows(actor: Actor, verb: str, resource_id: UUID, scope: AuditScope, facts: Mapping[str, object]) -> list[Model]:
    events = audit_entry_events(actor, verb, resource_id, project_id=scope.project_id, facts=facts)
    return [_record(actor, verb, resource_id, scope, facts), *events]


def _record(actor: Actor, verb: str, resource_id: UUID, scope: AuditScope, facts: Mapping[str, object]) -> AuditEntry:
    record_resource(resource_id)
    is_anonymous = actor.user_id is None and actor.credential_id is None
    invoker = _invoker.get() if is_anonymous else None
    return AuditEntry(
        verb=verb,
        resource_id=resource_id,
        project_id=scope.project_id,
        organization_id=scope.organization_id if scope.project_id is None else None,
        user_id=actor.user_id if invoker is None else invoker.user_id,
        credential_id=actor.credential_id,
        request_id=actor.request_id,
        facts=dict(facts) if invoker is None else {**facts, "by": invoker.by},
    )
