"""Claim and release, inside the caller's transaction."""

from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Sum

from controlplane.quotas.errors import QuotaExceeded
from controlplane.quotas.models import Quota, QuotaUse


@transaction.atomic
def claim(project_id: UUID, resource_id: UUID, **amounts: int) -> None:
    """Let the resource use these amounts, in place of what it used of the same dimensions before.

    Claims of one project wait for one another until the transaction ends, so two of them cannot both take the last
    unit.

    Raises:
        QuotaExceeded: names the first dimension that does not suffice; nothing was claimed.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"quota:{project_id}"])
    limits = dict(settings.QUOTA_DEFAULTS)
    limits |= dict(Quota.objects.filter(project_id=project_id).values_list("dimension", "limit"))
    used: dict[str, int] = dict(
        QuotaUse.objects.filter(project_id=project_id, dimension__in=amounts)
        .exclude(resource_id=resource_id)
        .values_list("dimension")
        .annotate(total=Sum("amount"))
    )
    for dimension, requested in amounts.items():
        if used.get(dimension, 0) + requested > limits[dimension]:
            raise QuotaExceeded(
                dimension=dimension, used=used.get(dimension, 0), requested=requested, limit=limits[dimension]
            )
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
