"""Features that need a browser: a passkey, a copied secret, and a file upload."""

import re
from pathlib import Path

from playwright.sync_api import Page, expect

from scripts.browser import sign_in
from scripts.dashboard_cloud import PASSWORD, PROJECT
from tests.browser.conftest import PORT, Opener

KEY = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}
SIZE_BYTES, SLOW_BYTES_PER_S = 20 * 2**20, 2 * 2**20


def with_a_key(page: Page) -> None:
    """Add a virtual authenticator that verifies its user."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": KEY})


def test_a_passkey_is_registered_and_signs_in(opened: Opener) -> None:
    seen = opened("", base_url=f"http://localhost:{PORT}")
    page, manage = seen.page, seen.world.cloud.stack.manage
    manage("create_user", "key@example.org")
    manage("add_member", PROJECT, "key@example.org", "viewer")
    manage("set_password", "key@example.org", stdin=PASSWORD)
    sign_in(page, "key@example.org")
    with_a_key(page)
    seen.go("/account/sign-in")
    page.fill("[name=name]", "my laptop")
    page.get_by_role("button", name="Register a passkey").click()
    expect(page.get_by_role("rowheader", name="my laptop")).to_be_visible()
    page.context.clear_cookies()
    seen.go("/sign-in?next=/account")
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("heading", name="Profile")).to_be_visible()


def test_upload_shows_its_progress_and_can_be_stopped(opened: Opener, tmp_path: Path) -> None:
    file = tmp_path / "disk.raw"
    file.write_bytes(bytes(SIZE_BYTES))
    seen = opened("ada")
    page = seen.go("@/images/new")
    page.fill("[name=name]", "uploaded")
    page.select_option("[name=format]", "raw")
    page.get_by_role("button", name="Continue").click()
    devtools = page.context.new_cdp_session(page)
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": SLOW_BYTES_PER_S}
    devtools.send("Network.enable")
    devtools.send("Network.emulateNetworkConditions", slow)
    page.set_input_files("#upload", file)
    page.get_by_role("button", name="Upload").click()
    expect(page.locator("[data-upload-state] [role=status]")).to_have_text(re.compile(r"^[1-9]0 %$"))
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("Upload cancelled.")).to_be_visible()
    devtools.send("Network.emulateNetworkConditions", {**slow, "uploadThroughput": -1})
    page.get_by_role("button", name="Upload").click()
    expect(page.locator("#state-of-image")).to_contain_text("available")
    expect(page.locator("#upload")).to_have_count(0)
