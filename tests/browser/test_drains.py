"""An operator drains a node with the keyboard alone, and the page follows by itself."""

import secrets
from collections.abc import Iterator
from contextlib import closing

import pytest
from playwright.sync_api import Page, expect

from scripts.api import Api
from scripts.dashboard_cloud import World
from tests.browser.conftest import Opener

NODE, ZONE, GUEST = "rhein-a", "de-rhein-1", "cannot-leave"
SOON_MS = 30_000


@pytest.fixture
def guest(world: World) -> Iterator[str]:
    """Create an instance on the only node of its zone."""
    project = f"drains-{secrets.token_hex(3)}"
    token, _ = world.cloud.make_project(project)
    with closing(Api(world.url, token, project=project)) as api:
        body = {"name": GUEST, "flavor": "tiny", "image": "tiny", "zones": [ZONE]}
        api.wait(api.post("instances", body)["operation"])
        yield GUEST
        api.wait(api.delete(f"instances/{GUEST}")["operation"])


def pressed(page: Page, name: str) -> None:
    page.get_by_role("button", name=name).press("Enter")


def test_drain_runs_from_the_plan_to_the_return_to_service(opened: Opener, guest: str) -> None:
    page = opened("operator").go(f"/platform/nodes/{NODE}")
    page.get_by_role("link", name="Drain", exact=True).press("Enter")
    way = page.get_by_role("region", name="Blockers")
    expect(way).to_contain_text(guest)
    expect(page.get_by_text("The drain cannot complete while these instances run on the node")).to_be_visible()
    page.get_by_label("Running instances that cannot be moved").select_option("stop")
    pressed(page, "Refresh plan")
    expect(
        page.get_by_text("These instances are shut down, and restarted when the node returns to service")
    ).to_be_visible()
    page.get_by_label("Reason").fill("memory")
    pressed(page, "Drain node")
    page.evaluate("window.isTheSamePage = true")
    expect(page.locator("#state-of-drain")).to_have_text("done", timeout=SOON_MS)
    expect(page.locator("#drain tr", has_text=guest).locator(".state")).to_have_text("off")
    expect(page.get_by_text("100 %")).to_be_visible()
    assert page.evaluate("window.isTheSamePage") is True, "it followed by itself"
    pressed(page, "Return to service")
    expect(page.locator("#state-of-node")).to_contain_text("ready")


def test_blocked_drain_has_a_reason_and_is_cancelled(opened: Opener, guest: str, world: World) -> None:
    with closing(Api(world.url, world.operator)) as api:
        api.post(f"/v1/nodes/{NODE}/actions/cordon", {})
    page = opened("operator", language="fr").go(f"/platform/nodes/{NODE}/drain/new")
    pressed(page, "Vider le nœud")
    expect(page.locator("#state-of-drain")).to_have_text("bloqué", timeout=SOON_MS)
    row = page.locator("#drain tr", has_text=guest)
    expect(row.locator(".state")).to_have_text("non déplacée")
    expect(row).to_contain_text("placement.no_place")
    pressed(page, "Annuler le vidage")
    expect(page.locator("#state-of-drain")).to_have_text("annulé")
    page.get_by_role("link", name=NODE, exact=True).first.press("Enter")
    pressed(page, "Réadmettre au placement")
    expect(page.locator("#state-of-node")).to_contain_text("prêt")
