"""Claim and release, inside the caller's transaction."""

from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q, Sum

from controlplane.quotas.errors import QuotaExceeded
from controlplane.quotas.models import Quota, QuotaUse


@transaction.atomic
def claim(project_id: UUID, resource_id: UUID, **amounts: int) -> None:
    """Let the resource use these amounts, in place of what it used of the same dimensions before.

    Claims of one project wait for one another until the transaction ends, so two of them cannot both take the last
    unit. To use less than before is always allowed, also where the limit is exceeded.

    Raises:
        QuotaExceeded: names the first dimension that does not suffice; nothing was claimed.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"quota:{project_id}"])
    limits = dict(settings.QUOTA_DEFAULTS)
    limits |= dict(Quota.objects.filter(project_id=project_id).values_list("dimension", "limit"))
    is_own = Q(resource_id=resource_id)
    uses = (
        QuotaUse.objects.filter(project_id=project_id, dimension__in=amounts)
        .values_list("dimension")
        .annotate(others=Sum("amount", filter=~is_own, default=0), own=Sum("amount", filter=is_own, default=0))
    )
    known = {dimension: (others, own) for dimension, others, own in uses}
    for dimension, requested in amounts.items():
        used, own = known.get(dimension, (0, 0))
        if requested > own and used + requested > limits[dimension]:
            raise QuotaExceeded(dimension=dimension, used=used, requested=requested, limit=limits[dimension])
    rows = [
        QuotaUse(project_id=project_id, resource_id=resource_id, dimension=dimension, amount=amount)
        for dimension, amount in amounts.items()
        if amount
    ]
    QuotaUse.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["resource_id", "dimension"], update_fields=["amount"]
    )


def release(resource_id: UUID) -> None:
    """The resource uses nothing any more; releasing again changes nothing."""
    QuotaUse.objects.filter(resource_id=resource_id).delete()
