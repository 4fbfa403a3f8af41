"""Claim and release, inside the caller's transaction; and set limits."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q, Sum

from controlplane.audit.services import record
from controlplane.identity.actor import Actor
from controlplane.identity.errors import RoleNeeded
from controlplane.identity.models import Role
from controlplane.identity.roles import includes
from controlplane.kernel import clock
from controlplane.kernel.errors import Outdated
from controlplane.kernel.reasons import Reason
from controlplane.quotas import limits as of
from controlplane.quotas.errors import QuotaAboveOrganization, QuotaExceeded
from controlplane.quotas.limits import Owner
from controlplane.quotas.models import Quota, QuotaSet, QuotaUse


@transaction.atomic
def claim(project_id: UUID, resource_id: UUID, **amounts: int) -> None:
    """Let the resource use these amounts, in place of what it used of the same dimensions before.

    Claims of one organization wait for one another until the transaction ends, so two of them cannot both take the last
    unit, of the organization or of a project. There is one lock for both levels, and it is the last that a transaction
    takes. To use less than before is always allowed, also where a limit is exceeded.

    Raises:
        QuotaExceeded: names the first dimension that does not suffice, and at which level; nothing was claimed.
    """
    organization_id = of.lock_of(project_id)
    _check(project_id, organization_id, resource_id, amounts)
    nothing = [dimension for dimension, amount in amounts.items() if not amount]
    if nothing:
        QuotaUse.objects.filter(resource_id=resource_id, dimension__in=nothing).delete()
    rows = [
        QuotaUse(project_id=project_id, resource_id=resource_id, dimension=dimension, amount=amount)
        for dimension, amount in amounts.items()
        if amount
    ]
    QuotaUse.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["resource_id", "dimension"], update_fields=["amount"]
    )


def _check(project_id: UUID, organization_id: UUID, resource_id: UUID, amounts: Mapping[str, int]) -> None:
    """What others use, and the resource itself, is added up anew each time: there is no counter."""
    limits = {"project": of.project_defaults(), "organization": of.organization_defaults()}
    set_for = Quota.objects.filter(Q(project_id=project_id) | Q(organization_id=organization_id))
    for owner, dimension, limit in set_for.values_list("project_id", "dimension", "limit"):
        limits["project" if owner else "organization"][dimension] = limit
    is_own = Q(resource_id=resource_id)
    uses = (
        QuotaUse.objects.filter(project__organization_id=organization_id, dimension__in=amounts)
        .values_list("dimension")
        .annotate(
            own=Sum("amount", filter=is_own, default=0),
            project=Sum("amount", filter=~is_own & Q(project_id=project_id), default=0),
            organization=Sum("amount", filter=~is_own, default=0),
        )
    )
    known = {dimension: totals for dimension, *totals in uses}
    for dimension, requested in amounts.items():
        own, *others = known.get(dimension, (0, 0, 0))
        for level, used in zip((Reason("project"), Reason("organization")), others, strict=True):
            limit = limits[level][dimension]
            if requested > own and used + requested > limit:
                raise QuotaExceeded(level=level, dimension=dimension, used=used, requested=requested, limit=limit)


def release(resource_id: UUID) -> None:
    """The resource uses nothing any more; releasing again changes nothing."""
    QuotaUse.objects.filter(resource_id=resource_id).delete()


def may_administer(actor: Actor, owner: Owner) -> None:
    """Raises RoleNeeded unless the actor divides what the organization may use: its owners and admins do."""
    if not actor.is_operator and not includes(actor.role, Role.ADMIN):
        raise RoleNeeded(role=Role.ADMIN)


def may_set(actor: Actor, owner: Owner) -> None:
    """Raises RoleNeeded: an organization's limits are the operator's to set, its projects' its own admins'."""
    if owner.project is None:
        actor.may_operate()
    else:
        may_administer(actor, owner)


@transaction.atomic
def quotas_set(actor: Actor, owner: Owner, limits: Mapping[str, int], *, version: int | None) -> int:
    """Set all limits of a project or organization; what is not named has the default again. Returns the new version.

    A limit may be below what is used: then nothing is added until enough is gone. The limits of an organization's
    projects may add up to more than its own, which holds all the same.

    `version`: the one that is replaced; None: any.

    Raises:
        RoleNeeded, Outdated.
        QuotaAboveOrganization: a project would get more than its organization has.
    """
    may_set(actor, owner)
    of.lock(owner.organization.pk)
    now_at = owner.version()
    if version is not None and version != now_at:
        raise Outdated(current=now_at)
    if owner.project is not None:
        _check_within(limits, Owner(owner.organization).limits())
    Quota.objects.filter(**owner.columns).delete()
    Quota.objects.bulk_create(
        Quota(**owner.columns, dimension=dimension, limit=limit) for dimension, limit in limits.items()
    )
    said: dict[str, Any] = {"level": "project" if owner.project else "organization", "limits": dict(limits)}
    return _began(actor, owner, "quota.set", said)


def limit_raise(actor: Actor, organization_owner: Owner, *, dimension: str, limit: int, **facts: Any) -> None:
    """The organization may use at least so much from now on; a limit that is higher already stays. Inside the caller's
    transaction."""
    of.lock(organization_owner.organization.pk)
    if limit <= organization_owner.limits()[dimension]:
        return
    Quota.objects.update_or_create(**organization_owner.columns, dimension=dimension, defaults={"limit": limit})
    said = {"level": "organization", "limits": {dimension: limit}, **facts}
    _began(actor, organization_owner, "quota.set", said)


def _check_within(limits: Mapping[str, int], organization: Mapping[str, int]) -> None:
    for dimension, limit in limits.items():
        if limit > organization[dimension]:
            raise QuotaAboveOrganization(
                field=f"limits/{dimension}", dimension=dimension, requested=limit, limit=organization[dimension]
            )


def _began(actor: Actor, owner: Owner, verb: str, facts: Mapping[str, Any]) -> int:
    """A new version of the owner's limits; whoever reads them while they are changed sees all old or all new."""
    QuotaSet.objects.get_or_create(**owner.columns)
    QuotaSet.objects.filter(**owner.columns).update(version=F("version") + 1, updated_at=clock.now())
    version = owner.version()
    record(actor, verb, owner.id, project_id=owner.project.pk if owner.project else None, **facts)
    return version
