"""Report of a quarter's exemptions."""

from datetime import UTC, datetime, timedelta

import pytest

from controlplane.identity.models import Project
from controlplane.kernel.ids import new_id
from controlplane.placement.exemption_report import ExemptedClause, quarter_named, quarter_of, report
from controlplane.placement.models import Exemption, ExemptionUse
from tests.world import make_tenant

HOUR = timedelta(hours=1)
ENDS = datetime(2027, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "begins", "ends"),
    [("2026-Q1", (2026, 1), (2026, 4)), ("2026-Q3", (2026, 7), (2026, 10)), ("2026-Q4", (2026, 10), (2027, 1))],
)
def test_a_quarter_has_three_months(name: str, begins: tuple[int, int], ends: tuple[int, int]) -> None:
    quarter = quarter_named(name)
    assert quarter is not None
    assert (quarter.begins_at, quarter.ends_at) == (datetime(*begins, 1, tzinfo=UTC), datetime(*ends, 1, tzinfo=UTC))
    assert quarter_of(quarter.begins_at) == quarter_of(quarter.ends_at - timedelta(microseconds=1)) == quarter


@pytest.mark.parametrize("name", ["", "2026", "2026-Q0", "2026-Q5", "Q4-2026", "2026-Q44", "2026-q1"])
def test_invalid_quarter_name_is_refused(name: str) -> None:
    assert quarter_named(name) is None


def exempt(project: Project, begins_at: datetime, *used_at: datetime, approvals: int = 2, hours: int = 4) -> None:
    exemption = Exemption.objects.create(
        created_at=begins_at,
        project=project,
        resource_ids=[new_id()],
        op="instance.start",
        zone="fr-idf-1",
        waived=["p/snc"] if used_at else ["p/loc", "p/snc"],
        reason="the flood",
        requested_by=new_id(),
        not_before=begins_at,
        expires_at=begins_at + hours * HOUR,
        max_uses=9,
        approvals=[{}] * approvals,
    )
    for moment in used_at:
        ExemptionUse.objects.create(exemption=exemption, decision_id=new_id(), created_at=moment)


@pytest.mark.django_db
def test_report_counts_the_exemptions_of_the_quarter() -> None:
    project = make_tenant().project
    exempt(project, ENDS - HOUR, ENDS - HOUR / 2, ENDS + HOUR / 2)
    exempt(project, ENDS - 100 * HOUR)
    exempt(project, ENDS - 50 * HOUR, approvals=1)
    exempt(project, ENDS + HOUR)
    quarter = quarter_of(ENDS - HOUR)
    summary = report(Exemption.objects.all(), quarter)
    assert (summary.asked, summary.approved, summary.used, summary.uses) == (3, 2, 1, 1)
    assert summary.duration_s == 5 * 3600, "one hour of the first, which goes on in the next quarter"
    assert summary.clauses == [ExemptedClause("p/loc", 1, 0), ExemptedClause("p/snc", 2, 1)]
    after = report(Exemption.objects.all(), quarter_of(ENDS))
    assert (after.asked, after.approved, after.uses, after.duration_s) == (1, 2, 1, 7 * 3600)
