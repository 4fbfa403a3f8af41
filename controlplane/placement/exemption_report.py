"""Report of the exemptions of a quarter: number, duration, and the refusals that they waived."""

import re
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db.models import QuerySet

from controlplane.placement.models import Exemption, ExemptionUse

QUARTER = re.compile(r"(20[0-9]{2})-Q([1-4])")


@dataclass(frozen=True)
class Quarter:
    name: str
    begins_at: datetime
    ends_at: datetime


@dataclass(frozen=True)
class ExemptedClause:
    """A clause (policy/clause) that exemptions waived, and the number of uses."""

    clause: str
    approved: int
    uses: int


@dataclass(frozen=True)
class Report:
    """The figures of a quarter.

    `asked`: requested in the quarter. `approved`: those of two people that were valid at some time of it, and
    `duration_s` their time within the quarter, in total. `used`: how many of them were used, `uses`: how often.
    """

    quarter: Quarter
    asked: int
    approved: int
    duration_s: int
    used: int
    uses: int
    clauses: list[ExemptedClause]


def quarter_of(moment: datetime) -> Quarter:
    return _quarter(moment.year, (moment.month - 1) // 3 + 1)


def quarter_named(name: str) -> Quarter | None:
    """Parse a name such as 2026-Q4; None when it is not valid."""
    match = QUARTER.fullmatch(name)
    return _quarter(int(match[1]), int(match[2])) if match else None


def _quarter(year: int, number: int) -> Quarter:
    begins_at = datetime(year, 3 * number - 2, 1, tzinfo=UTC)
    ends_at = datetime(year + number // 4, 3 * number % 12 + 1, 1, tzinfo=UTC)
    return Quarter(f"{year}-Q{number}", begins_at, ends_at)


def report(exemptions: QuerySet[Exemption], quarter: Quarter) -> Report:
    """Compute the report of the exemptions in `seen`."""
    begins_at, ends_at = quarter.begins_at, quarter.ends_at
    approved = list(exemptions.filter(not_before__lt=ends_at, expires_at__gt=begins_at, approvals__1__isnull=False))
    of_approved = ExemptionUse.objects.filter(exemption__in=[exemption.pk for exemption in approved])
    in_quarter = of_approved.filter(created_at__gte=begins_at, created_at__lt=ends_at)
    uses = Counter(in_quarter.values_list("exemption_id", flat=True))
    waiving = Counter(clause for exemption in approved for clause in exemption.waived)
    used: Counter[str] = Counter()
    for exemption in approved:
        used.update({clause: uses[exemption.pk] for clause in exemption.waived})
    lasted = (min(each.expires_at, ends_at) - max(each.not_before, begins_at) for each in approved)
    return Report(
        quarter=quarter,
        asked=exemptions.filter(created_at__gte=begins_at, created_at__lt=ends_at).count(),
        approved=len(approved),
        duration_s=int(sum(lasted, timedelta()).total_seconds()),
        used=len(uses),
        uses=uses.total(),
        clauses=[ExemptedClause(name, waiving[name], used[name]) for name in sorted(waiving)],
    )
