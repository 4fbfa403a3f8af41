"""An operator discards an orphan, and the page follows by itself."""

from playwright.sync_api import expect

from scripts.dashboard_cloud import UNMANAGED_FILE
from tests.browser.conftest import Opener

NODE = "lille-a"
SOON_MS = 60_000


def test_orphan_is_discarded_by_keyboard_and_the_page_updates(opened: Opener) -> None:
    page = opened("operator").go(f"/platform/quarantine?node={NODE}&state=any")
    row = page.locator("#orphans tr", has_text=NODE)
    expect(row.locator(".state")).to_have_text("quarantined", timeout=SOON_MS)
    row.get_by_role("link", name=UNMANAGED_FILE).press("Enter")
    page.get_by_role("link", name="Discard").press("Enter")
    page.get_by_label("Type the name to confirm").fill("volumes/another")
    page.get_by_label("Reason").fill("a trial")
    page.get_by_role("button", name="Discard").press("Enter")
    expect(page.get_by_text("The name does not match.")).to_be_visible()
    page.get_by_label("Type the name to confirm").fill(UNMANAGED_FILE)
    page.get_by_role("button", name="Discard").press("Enter")
    expect(page.locator("#state-of-orphan")).to_have_text("discarded", timeout=SOON_MS)
    expect(page.get_by_text("Deleted by an operator.")).to_be_visible()
    expect(page.get_by_role("link", name="Discard")).to_have_count(0)
