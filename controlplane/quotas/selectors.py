"""What a project may use and uses, per dimension."""

from uuid import UUID

from django.conf import settings
from django.db.models import Sum

from controlplane.quotas.models import Quota, QuotaUse


def usage(project_id: UUID) -> list[dict[str, object]]:
    """[{"dimension": …, "used": …, "limit": …}, …] in the order of the settings."""
    limits = dict(settings.QUOTA_DEFAULTS)
    limits |= dict(Quota.objects.filter(project_id=project_id).values_list("dimension", "limit"))
    used = dict(QuotaUse.objects.filter(project_id=project_id).values_list("dimension").annotate(total=Sum("amount")))
    return [{"dimension": name, "used": used.get(name, 0), "limit": limit} for name, limit in limits.items()]
