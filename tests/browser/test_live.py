"""Pages that follow the cloud by themselves."""

import re
from contextlib import closing

from playwright.sync_api import Route, expect

from scripts.dashboard_cloud import SSH_KEY, World
from tests.browser.conftest import Opener
from tests.limits import PATIENCE_S

SOON_MS = 20_000


def power(world: World, name: str, action: str) -> None:
    with closing(world.api()) as api:
        api.wait(api.post(f"instances/{name}/actions/{action}")["operation"])


def test_list_shows_and_announces_changes(opened: Opener, world: World) -> None:
    page = opened("ada").go("@/instances")
    page.evaluate("window.isTheSamePage = true")
    state = page.locator("tr", has_text="web-2").locator(".state").first
    expect(state).to_have_text("active")
    power(world, "web-2", "power-off")
    expect(state).to_have_text("stopped", timeout=SOON_MS)
    expect(page.get_by_role("status")).to_contain_text("web-2: stopped", timeout=SOON_MS)
    power(world, "web-2", "start")
    expect(state).to_have_text("active", timeout=SOON_MS)
    assert page.evaluate("window.isTheSamePage") is True


def test_list_shows_the_first_resource_and_drops_the_last_one(opened: Opener, world: World) -> None:
    world.cloud.stack.manage("create_project", "sante", "empty")
    page = opened("ada").go("/")
    page.get_by_role("link", name="empty", exact=True).first.press("Enter")
    page.get_by_role("link", name="SSH keys", exact=True).press("Enter")
    expect(page.locator(".empty")).to_be_visible()
    other = page.context.new_page()
    other.goto(f"{page.url}/new")
    other.locator("#id_name").fill("tablet")
    other.locator("#id_public_key").fill(SSH_KEY)
    other.locator("main form button").first.press("Enter")
    expect(page.get_by_role("link", name="tablet")).to_be_visible(timeout=SOON_MS)
    other.get_by_role("link", name="Delete").press("Enter")
    other.locator("main form button").first.press("Enter")
    expect(page.locator(".empty")).to_be_visible(timeout=SOON_MS)


def test_field_with_unsaved_input_is_not_replaced(opened: Opener, world: World) -> None:
    page = opened("ada").go("@/instances")
    page.get_by_label("Name", exact=True).fill("half a na")
    power(world, "web-2", "power-off")
    expect(page.locator("tr", has_text="web-2").locator(".state").first).to_have_text("stopped", timeout=SOON_MS)
    expect(page.get_by_label("Name", exact=True)).to_have_value("half a na")
    power(world, "web-2", "start")


def test_page_polls_without_a_stream(opened: Opener, world: World) -> None:
    seen = opened("ada")
    refused: list[str] = []

    def refuse(route: Route) -> None:
        refused.append(route.request.url)
        route.fulfill(status=204)

    seen.page.route("**/live?*", refuse)
    page = seen.go("@/instances")
    power(world, "web-2", "power-off")
    expect(page.locator("tr", has_text="web-2").locator(".state").first).to_have_text(
        "stopped", timeout=1000 * PATIENCE_S
    )
    assert refused
    power(world, "web-2", "start")


def test_disabled_button_has_a_reason_and_does_nothing(opened: Opener) -> None:
    page = opened("ada").go("@/instances/{web-1}")
    start = page.get_by_role("button", name=re.compile(r"Start ?: The instance is active"))
    expect(start).to_have_attribute("aria-disabled", "true")
    start.click(force=True)
    expect(page.get_by_role("heading", level=1)).to_have_text("web-1")


def test_button_starts_its_operation(opened: Opener) -> None:
    page = opened("ada").go("@/instances/{web-2}")
    page.get_by_role("button", name="Power off").click()
    expect(page.get_by_text("Operation started.")).to_be_visible()
    state = page.locator("#state-of-instance .state").first
    expect(state).to_have_text("stopped", timeout=SOON_MS)
    page.get_by_role("button", name="Start", exact=True).click()
    expect(state).to_have_text("active", timeout=SOON_MS)
