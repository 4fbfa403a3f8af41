"""Quota requests: an organization requests a higher limit, an operator approves or refuses."""

from typing import Any

from django.db import transaction

from controlplane.audit.services import record_of_organization
from controlplane.identity.actor import Actor
from controlplane.identity.row_locks import lock_organization
from controlplane.kernel import clock
from controlplane.kernel.db import move, raise_on_violation
from controlplane.quotas.errors import QuotaNotMore, QuotaRequestDecided, QuotaRequestPending
from controlplane.quotas.models import QUOTA_REQUEST, QuotaRequest
from controlplane.quotas.quota_owners import QuotaOwner
from controlplane.quotas.services import limit_raise, may_administer


@transaction.atomic
def quota_request_create(actor: Actor, owner: QuotaOwner, *, dimension: str, limit: int, reason: str) -> QuotaRequest:
    """Create a quota request.

    Raises:
        RoleNeeded: only owners and admins may.
        OrganizationNotFound: it was deleted meanwhile.
        QuotaNotMore: the organization has that limit already.
        QuotaRequestPending: another one for the same dimension is pending.
    """
    may_administer(actor, owner)
    lock_organization(owner.organization)
    present = owner.limits()[dimension]
    if limit <= present:
        raise QuotaNotMore(field="limit", dimension=dimension, limit=present)
    with raise_on_violation("quotas_request_pending_once", QuotaRequestPending(dimension=dimension)):
        request = QuotaRequest.objects.create(
            organization=owner.organization,
            dimension=dimension,
            limit=limit,
            reason=reason,
            requested_by=actor.user_id,
        )
    _record(actor, "quota_request.create", request, limit=limit, reason=reason)
    return request


@transaction.atomic
def quota_request_approve(actor: Actor, request: QuotaRequest, *, reason: str) -> QuotaRequest:
    """Approve a request and raise the organization's limit. Raises RoleNeeded, QuotaRequestDecided."""
    actor.may_operate()
    _decide(actor, request, "approved", reason)
    owner = QuotaOwner(request.organization)
    limit_raise(actor, owner, dimension=request.dimension, limit=request.limit, quota_request=str(request.pk))
    return request


@transaction.atomic
def quota_request_refuse(actor: Actor, request: QuotaRequest, *, reason: str) -> QuotaRequest:
    """Refuse a request. Raises RoleNeeded, QuotaRequestDecided."""
    actor.may_operate()
    _decide(actor, request, "refused", reason)
    return request


@transaction.atomic
def quota_request_withdraw(actor: Actor, request: QuotaRequest) -> QuotaRequest:
    """Withdraw a request. Idempotent. Raises RoleNeeded, QuotaRequestDecided."""
    may_administer(actor, QuotaOwner(request.organization))
    if request.state != "withdrawn":
        _decide(actor, request, "withdrawn", "")
    return request


def _decide(actor: Actor, request: QuotaRequest, to: str, reason: str) -> None:
    if request.state in QUOTA_REQUEST.terminal:
        raise QuotaRequestDecided(state=request.state)
    move(request, QUOTA_REQUEST, to, answer=reason, decided_by=actor.user_id, decided_at=clock.now())
    _record(actor, f"quota_request.{VERBS[to]}", request, reason=reason)


def _record(actor: Actor, verb: str, request: QuotaRequest, **facts: Any) -> None:
    organization_id = request.organization_id
    record_of_organization(actor, verb, request.pk, organization_id, dimension=request.dimension, **facts)


VERBS = {"approved": "approve", "refused": "refuse", "withdrawn": "withdraw"}
