"""A project at a glance, and all projects."""

import math
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from controlplane.compliance.models import RemediationPlan
from controlplane.compliance.plans import plans_update
from controlplane.compute.models import Instance
from controlplane.dashboard.zone_map import CENTRE_LAT, CENTRE_LON, MARK_DISTANCE, SCALE, SIDE, projected, zone_marks
from controlplane.identity.services import user_create
from controlplane.operations.models import Operation
from controlplane.placement.errors import NoPlace
from tests.dashboard.conftest import SignIn, browser_of
from tests.dashboard.sample_resources import make_instance, make_volume, set_adrift, text_of
from tests.world import Cloud, make_tenant, make_zone


def test_empty_project_is_explained(cloud: Cloud, member: Client, home: str) -> None:
    text = text_of(member.get(home))
    assert "Instances 0 none yet" in text
    assert "No errors, no failed operations" in text


def test_resources_are_counted_by_state(cloud: Cloud, member: Client, home: str) -> None:
    for name in ("a", "b"):
        make_instance(member, home, name=name)
    make_volume(member, home)
    text = text_of(member.get(home))
    assert "Instances 2 2 active" in text
    assert "Volumes 1 1 available" in text
    assert "Memory 256 MiB of " in text


def test_failures_are_listed(cloud: Cloud, member: Client, home: str) -> None:
    broken = make_instance(member, home, name="broken")
    Instance.objects.filter(pk=broken.pk).update(state="error")
    error = NoPlace(explanation="").as_document()
    Operation.objects.filter(kind="instance.create").update(state="failed", error=error)
    text = text_of(member.get(home))
    assert "error broken" in text
    assert "failed Create instance: broken" in text
    assert "No errors, no failed operations" not in text


def test_drifted_resources_are_listed(cloud: Cloud, member: Client, home: str) -> None:
    set_adrift(make_instance(member, home, name="adrift"))
    answer = member.get(home)
    assert "drifted adrift" in text_of(answer)
    assert "refused by policy (project/france)" in text_of(answer)
    assert "No errors, no failed operations" not in text_of(answer)


def test_drift_is_listed_until_an_approved_plan_is_done(cloud: Cloud, member: Client, home: str) -> None:
    """Until what drifted is elsewhere, the page says that it is not, until when it has to be, and who moves it."""
    set_adrift(make_instance(member, home, name="adrift"))
    assert plans_update() == 1
    plan = RemediationPlan.objects.get(state="proposed")
    member.post(f"{home}/remediation/{plan.pk}/approve")
    plan.refresh_from_db()
    assert plan.state == "approved"
    answer = member.get(home)
    text = text_of(answer)
    assert "No errors, no failed operations" not in text
    assert "remediating adrift" in text
    assert "Remediation deadline:" in text and f'datetime="{plan.items[0]["deadline_at"]}"' in answer.content.decode()
    assert "Nothing is moved until a project member executes the plan" in text
    assert f'href="{home}/remediation"' in answer.content.decode()
    member.post(f"{home}/remediation/{plan.pk}/execute")
    assert "The plan is being carried out" in text_of(member.get(home))


def test_drift_of_other_projects_does_not_hide_the_own(cloud: Cloud, signed_in: SignIn, home: str) -> None:
    """A reader of all projects sees the drift of this one, and none of the others."""
    operator, beta = signed_in("operator"), make_tenant("beta")
    member = signed_in("member")
    set_adrift(make_instance(member, home, name="adrift"))
    assert "drifted adrift" in text_of(operator.get(home))
    assert "No errors, no failed operations" in text_of(operator.get(f"/projects/{beta.project.pk}"))


@pytest.mark.parametrize("role", ["owner", "viewer", "billing", "sovereignty_officer"])
def test_each_role_sees_the_overview_or_a_reason(role: str, cloud: Cloud, signed_in: SignIn, home: str) -> None:
    answer = signed_in(role).get(home)
    assert answer.status_code in (200, 403)
    assert answer.status_code == 200 or "lacks the role" in answer.content.decode()


def test_map_and_table_agree(cloud: Cloud, member: Client, home: str) -> None:
    make_zone("de-rhein-1")
    answer = member.get(home)
    zones = {zone["id"]: zone["mark"] for zone in answer.context["zones"]}
    assert zones == {"fr-idf-1": "yes", "de-rhein-1": "none"}
    html = answer.content.decode()
    for zone in zones:
        assert f'<tr id="zone-{zone}">' in html
    assert 'role="img"' not in html


def test_projects_are_tiles_with_their_counts(cloud: Cloud, member: Client, home: str) -> None:
    make_instance(member, home)
    make_tenant("beta")
    text = text_of(member.get("/"))
    assert "alpha" in text
    assert "Instances 1 Volumes 0 Networks 1" in text
    assert "beta" not in text


def test_user_without_a_project_gets_the_next_step(cloud: Cloud) -> None:
    text = text_of(browser_of(user_create(email="new@people.example")).get("/"))
    assert "No project yet" in text
    assert "new@people.example" in text


# The map.


def zone(name: str, lat: float | None, lon: float | None, urban_area: str = "Somewhere") -> dict[str, Any]:
    return {"id": name, "facts": {"location.lat": lat, "location.lon": lon, "location.urban_area": urban_area}}


def test_projection_is_centred_on_the_map() -> None:
    assert projected(53, 10) == pytest.approx((SIDE / 2, SIDE / 2))


def test_projection_keeps_areas() -> None:
    """A degree by a degree in the north covers what it does on the ground: less than in the south, by the cosine."""

    def area(lat: float, lon: float) -> float:
        (x0, y0), (x1, y1), (x2, y2) = projected(lat, lon), projected(lat, lon + 0.01), projected(lat + 0.01, lon)
        return abs((x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0))

    assert area(65, 25) / area(40, -5) == pytest.approx(0.42262 / 0.76604, rel=1e-2)


def test_marks_of_near_zones_are_separated() -> None:
    marks = zone_marks([zone("a", 48.8, 2.3), zone("b", 48.8, 2.3), zone("c", 48.9, 2.3), zone("d", 60, 25)])
    for one in marks:
        for other in marks:
            assert one is other or ((one.x - other.x) ** 2 + (one.y - other.y) ** 2) ** 0.5 > MARK_DISTANCE - 1
    assert [spot.zone for spot in marks if spot.place] == ["a", "d"]


def test_zone_outside_the_map_has_no_mark() -> None:
    assert zone_marks([zone("us", 39, -77), zone("nowhere", None, None), zone("antipode", -53, -170)]) == []


def test_background_of_the_map_has_the_same_projection() -> None:
    tool = (Path(__file__).parents[2] / "frontend" / "tools" / "europe.mjs").read_text()
    centre = f"{math.degrees(CENTRE_LON):.0f}, {math.degrees(CENTRE_LAT):.0f}"
    for constant in (f"WIDTH = {SIDE};", f"HEIGHT = {SIDE};", f"CENTRE = [{centre}];", f"SCALE = {SCALE};"):
        assert f"const {constant}" in tool
