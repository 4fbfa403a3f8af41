"""Quota claims and releases, inside the caller's transaction, and limits."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F

from andromede_core.documents.messages import Message
from controlplane.audit.services import record, record_of_organization
from controlplane.identity.actor import Actor
from controlplane.identity.errors import RoleNeeded
from controlplane.identity.models import Role
from controlplane.identity.roles import includes
from controlplane.kernel import clock
from controlplane.kernel.db import ensure_transaction
from controlplane.kernel.errors import Outdated
from controlplane.kernel.prepared_queries import preparing_cursor
from controlplane.quotas import quota_owners
from controlplane.quotas.errors import QuotaAboveOrganization, QuotaExceeded
from controlplane.quotas.models import Quota, QuotaSet, QuotaUse
from controlplane.quotas.quota_owners import QuotaOwner


def claim(project_id: UUID, resource_id: UUID, **amounts: int) -> None:
    """Claim these amounts for the resource, in place of its former usage of the same dimensions.

    Claims of one organization wait for one another until the transaction ends, so two of them cannot both take the last
    unit, of the organization or of a project. There is one lock for both levels, and it is the last that a transaction
    takes. To use less than before is always allowed, also where a limit is exceeded.

    Raises:
        QuotaExceeded: names the first dimension that does not suffice, and at which level. The transaction has to end,
            since the claim is written by then.
        ProjectNotFound: it was deleted meanwhile.
    """
    with ensure_transaction():
        _check(CLAIM, project_id, resource_id, amounts)
        nothing = [dimension for dimension, amount in amounts.items() if not amount]
        if nothing:
            QuotaUse.objects.filter(resource_id=resource_id, dimension__in=nothing).delete()


def check(project_id: UUID, resource_id: UUID, **amounts: int) -> None:
    """Raise the errors of claim() without claiming: before work that ends in a claim."""
    with transaction.atomic():
        _check(LIMITS_AND_USE, project_id, resource_id, amounts)


# The limits of the project and its organization (level, dimension, limit, 0, 0), the total usage of both (level,
# dimension, 0, amount, number of parts), and the resource's own share of it.
LIMITS_AND_USE = """
SELECT CASE WHEN project_id IS NULL THEN 'organization' ELSE 'project' END, dimension, "limit", 0, 0 FROM quotas_quota
WHERE (project_id = %(project)s OR organization_id = %(organization)s) AND dimension = ANY(%(dimensions)s)
UNION ALL SELECT 'project', dimension, NULL, sum(amount)::bigint, count(*) FROM quotas_quotapart
WHERE project_id = %(project)s AND dimension = ANY(%(dimensions)s) GROUP BY dimension
UNION ALL SELECT 'organization', dimension, NULL, sum(amount)::bigint, count(*) FROM quotas_quotapart
WHERE project_id IN (SELECT id FROM identity_project WHERE organization_id = %(organization)s)
    AND dimension = ANY(%(dimensions)s) GROUP BY dimension
UNION ALL SELECT 'own', dimension, NULL, amount, 0 FROM quotas_quotause
WHERE resource_id = %(resource)s AND dimension = ANY(%(dimensions)s)
"""
# Write the claim, and return the limits and the usage as they were before it.
CLAIM = f"""
WITH claimed AS (
    INSERT INTO quotas_quotause (project_id, resource_id, dimension, amount)
    SELECT %(project)s, %(resource)s, *
    FROM unnest(%(dimensions)s::text[], %(amounts)s::bigint[]) AS part (dimension, amount) WHERE amount > 0
    ON CONFLICT (resource_id, dimension) DO UPDATE SET amount = excluded.amount
)
{LIMITS_AND_USE}
"""
# Merge the parts into one. Parts of concurrent transactions are not visible, and stay; the caller has the lock.
PUT_TOGETHER = """
WITH many AS (
    DELETE FROM quotas_quotapart WHERE project_id = %(project)s AND dimension = ANY(%(dimensions)s) RETURNING *
)
INSERT INTO quotas_quotapart (project_id, dimension, amount)
SELECT project_id, dimension, sum(amount) FROM many GROUP BY project_id, dimension
"""
PARTS_MAX = 100
LEVELS = (Message("project"), Message("organization"))


def _check(statement: str, project_id: UUID, resource_id: UUID, amounts: Mapping[str, int]) -> None:
    """Check the limits against the sum of the usage of others and of the resource itself.

    `statement`: LIMITS_AND_USE or CLAIM.
    """
    organization_id = quota_owners.lock_project(project_id)
    limits = {"project": quota_owners.project_defaults(), "organization": quota_owners.organization_defaults()}
    scopes = {
        "project": project_id,
        "organization": organization_id,
        "resource": resource_id,
        "dimensions": list(amounts),
    }
    used: dict[str, dict[str, int]] = {"project": {}, "organization": {}, "own": {}}
    parts = 0
    with preparing_cursor() as cursor:
        cursor.execute(statement, scopes | {"amounts": list(amounts.values())})
        for level, dimension, limit, amount, count in cursor.fetchall():
            if limit is not None:
                limits[level][dimension] = limit
            else:
                used[level][dimension] = amount
                parts += count if level == "project" else 0
        for dimension, requested in amounts.items():
            own = used["own"].get(dimension, 0)
            for level in LEVELS:
                others, limit = used[str(level)].get(dimension, 0) - own, limits[str(level)][dimension]
                if requested > own and others + requested > limit:
                    raise QuotaExceeded(level=level, dimension=dimension, used=others, requested=requested, limit=limit)
        if parts > PARTS_MAX:
            cursor.execute(PUT_TOGETHER, scopes)


def release(resource_id: UUID) -> None:
    """Release the usage of the resource. Idempotent."""
    QuotaUse.objects.filter(resource_id=resource_id).delete()


def may_administer(actor: Actor, owner: QuotaOwner) -> None:
    """Raise RoleNeeded unless the actor is an owner or admin of the organization, who divide its quota among
    projects.
    """
    if not actor.is_operator and not includes(actor.role, Role.ADMIN):
        raise RoleNeeded(role=Role.ADMIN)


def may_set(actor: Actor, owner: QuotaOwner) -> None:
    """Raise RoleNeeded: operators set an organization's limits, its admins those of its projects."""
    if owner.project is None:
        actor.may_operate()
    else:
        may_administer(actor, owner)


@transaction.atomic
def quotas_set(actor: Actor, owner: QuotaOwner, limits: Mapping[str, int], *, version: int | None) -> int:
    """Set all limits of a project or organization; dimensions that are not named get the default.

    Returns the new version.

    A limit may be below the usage: then nothing can be added until enough is released. The limits of an organization's
    projects may add up to more than its own, which applies all the same.

    `version`: the one that is replaced; None: any.

    Raises:
        RoleNeeded, Outdated
        QuotaAboveOrganization: a project would get more than its organization has.
    """
    may_set(actor, owner)
    quota_owners.lock_organization(owner.organization.pk)
    now_at = owner.version()
    if version is not None and version != now_at:
        raise Outdated(current=now_at)
    if owner.project is not None:
        _check_within(limits, QuotaOwner(owner.organization).limits())
    Quota.objects.filter(**owner.columns).delete()
    Quota.objects.bulk_create(
        Quota(**owner.columns, dimension=dimension, limit=limit) for dimension, limit in limits.items()
    )
    entry_facts: dict[str, Any] = {"level": "project" if owner.project else "organization", "limits": dict(limits)}
    return _began(actor, owner, "quota.set", entry_facts)


def limit_raise(actor: Actor, organization_owner: QuotaOwner, *, dimension: str, limit: int, **facts: Any) -> None:
    """Raise the organization's limit to at least this amount; a higher limit stays. Inside the caller's transaction."""
    quota_owners.lock_organization(organization_owner.organization.pk)
    if limit <= organization_owner.limits()[dimension]:
        return
    Quota.objects.update_or_create(**organization_owner.columns, dimension=dimension, defaults={"limit": limit})
    entry_facts = {"level": "organization", "limits": {dimension: limit}, **facts}
    _began(actor, organization_owner, "quota.set", entry_facts)


def _check_within(limits: Mapping[str, int], organization: Mapping[str, int]) -> None:
    for dimension, limit in limits.items():
        if limit > organization[dimension]:
            raise QuotaAboveOrganization(
                field=f"limits/{dimension}", dimension=dimension, requested=limit, limit=organization[dimension]
            )


def _began(actor: Actor, owner: QuotaOwner, verb: str, facts: Mapping[str, Any]) -> int:
    """Begin a new version of the owner's limits; concurrent readers see all old or all new limits."""
    QuotaSet.objects.get_or_create(**owner.columns)
    QuotaSet.objects.filter(**owner.columns).update(version=F("version") + 1, updated_at=clock.now())
    version = owner.version()
    if owner.project is not None:
        record(actor, verb, owner.id, project_id=owner.project.pk, **facts)
    else:
        record_of_organization(actor, verb, owner.id, owner.organization.pk, **facts)
    return version
