"""Forms: their live previews, and their behaviour without scripts."""

from playwright.sync_api import expect

from tests.browser.conftest import Opener

SOON_MS = 20_000


def test_preview_follows_the_form(opened: Opener) -> None:
    page = opened("ada").go("@/instances/create")
    forecast = page.locator("#preview")
    expect(forecast).to_contain_text("can be created")
    page.locator("summary", has_text="CLI").click()
    line = page.locator("#line-cli")
    page.locator("#id_name").fill("typed")
    page.locator("#id_name").press("Tab")
    expect(line).to_contain_text("instance create typed", timeout=SOON_MS)
    page.locator("input[name=flavor][value=small]").check()
    expect(line).to_contain_text("--flavor small", timeout=SOON_MS)
    expect(line).to_be_visible()
    page.locator("#id_name").fill("web-1")
    page.locator("#id_name").press("Tab")
    expect(forecast).to_contain_text("The project already has an instance named 'web-1'.", timeout=SOON_MS)
    page.locator("summary", has_text="Data classification").click()
    page.get_by_label("Health data").check()
    expect(forecast).to_contain_text("not certified: HDS (classification/hds)", timeout=SOON_MS)


def test_check_button_previews_without_scripts(opened: Opener) -> None:
    page = opened("ada", java_script_enabled=False).go("@/instances/create")
    page.locator("#id_name").fill("web-1")
    page.get_by_role("button", name="Check").click()
    expect(page.locator("#preview")).to_contain_text("would be refused")
    expect(page.locator(".errorlist")).to_have_text("The project already has an instance named 'web-1'.")
    expect(page.locator("#id_name")).to_have_value("web-1")


def test_ticked_rows_stay_ticked_during_live_updates(opened: Opener) -> None:
    page = opened("ada").go("@/instances")
    box = page.get_by_label("Select batch")
    box.check()
    page.evaluate("document.activeElement.blur()")
    with page.expect_response(lambda answer: answer.request.headers.get("x-live") == "true"):
        page.evaluate("document.querySelector('[data-refresh]').addEventListener('click', (e) => e.preventDefault())")
        page.locator("[data-refresh]").click()
    expect(box).to_be_checked()
