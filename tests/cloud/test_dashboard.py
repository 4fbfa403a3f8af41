"""The dashboard in Chromium over real guests: from a form to a guest that is worked in, looked at, and gone again."""

import re
from collections.abc import Iterator
from contextlib import closing

import pytest
from playwright.sync_api import Page, expect

from scripts import front
from scripts.api import Api
from scripts.browser import LOCALES, chromium, sign_in
from scripts.dashboard_world import PASSWORD
from scripts.waiting import wait_until
from tests.cloud.conftest import Tenant

pytestmark = pytest.mark.lab
PORT = 8022
PERSON = "person@example.org"
BOOT_MS = 180_000
SOON_MS = 60_000
COLOURS = """() => {
    const screen = document.querySelector("#console canvas");
    const { data } = screen.getContext("2d").getImageData(0, 0, screen.width, screen.height);
    return new Set(new Uint32Array(data.buffer)).size;
}"""


@pytest.fixture
def page(tenant: Tenant) -> Iterator[Page]:
    """Of a member who has signed in; at the end nothing may have been complained about in the console."""
    stack = tenant.cloud.stack
    stack.manage("create_user", PERSON)
    stack.manage("add_member", "test", PERSON, "member")
    stack.manage("set_password", PERSON, stdin=PASSWORD)
    command = front.command(stack.var / "run", port=PORT, web=stack.url, stream_port=stack.stream_port)
    stack.spawn("front", command)
    complaints: list[str] = []
    try:
        with chromium() as browser:
            context = browser.new_context(base_url=f"http://127.0.0.1:{PORT}", locale=LOCALES["en"])
            page = context.new_page()
            page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
            page.on("pageerror", lambda error: complaints.append(str(error)))
            sign_in(page, PERSON)
            yield page
    finally:
        stack.kill("front")
    assert complaints == []


def test_from_a_form_to_a_guest_and_back(page: Page, tenant: Tenant) -> None:
    create(page)
    state = page.locator("#state-of-instance .state").first
    expect(state).to_have_text("active", timeout=BOOT_MS)
    instance = page.url
    work_in_it(page, instance)
    look_at_it(page, instance)
    attach_a_volume(page, instance)
    page.goto(instance)
    page.get_by_role("button", name="Power off", exact=True).press("Enter")
    expect(page.locator("#state-of-instance .state").first).to_have_text("stopped", timeout=SOON_MS)
    page.get_by_role("link", name="Delete", exact=True).press("Enter")
    page.get_by_label("Type its name").fill("from-a-form")
    page.get_by_role("button", name="Delete").press("Enter")
    expect(page.get_by_text("It is being deleted.")).to_be_visible()
    with closing(Api(tenant.api.url, tenant.api.token, project="test")) as api:
        api.delete_if_there("instances/from-a-form")
        assert api.get("instances", name="from-a-form")["items"] == []


def create(page: Page) -> None:
    page.locator("main").get_by_role("link", name="test", exact=True).first.press("Enter")
    page.get_by_role("link", name="Create instance").first.press("Enter")
    page.get_by_label("Name", exact=False).first.fill("from-a-form")
    page.get_by_label("tiny", exact=False).first.check()
    expect(page.get_by_text("can be made")).to_be_visible(timeout=SOON_MS)
    page.get_by_role("button", name="Create instance").press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("from-a-form", timeout=SOON_MS)


def work_in_it(page: Page, instance: str) -> None:
    """The terminal keeps what it shows as text too, for screen readers."""
    page.goto(f"{instance}/console?kind=serial")
    expect(page.locator("#console-status")).to_contain_text("Connected", timeout=SOON_MS)
    text = page.locator("#console .xterm-accessibility")
    expect(text).to_contain_text("login:", timeout=BOOT_MS)
    page.keyboard.type("root\n")
    expect(text).to_contain_text("~ #", timeout=SOON_MS)
    page.keyboard.type("echo hi-$((6*7))\n")
    expect(text).to_contain_text("hi-42", timeout=SOON_MS)
    page.keyboard.press("Control+Alt+q")
    assert page.evaluate("document.activeElement.closest('#console-tools') !== null")


def look_at_it(page: Page, instance: str) -> None:
    page.goto(f"{instance}/console?kind=vnc")
    expect(page.locator("#console-status")).to_contain_text("Connected", timeout=SOON_MS)
    screen = page.locator("#console canvas")
    expect(screen).to_be_visible(timeout=SOON_MS)
    wait_until(lambda: page.evaluate(COLOURS) > 1)
    with page.expect_download() as download:
        page.get_by_role("button", name="Screenshot").press("Enter")
    assert download.value.path().read_bytes().startswith(b"\x89PNG")


def attach_a_volume(page: Page, instance: str) -> None:
    page.goto(f"{instance}/volumes")
    form = page.locator("section", has=page.get_by_role("heading", name="Make a volume and attach it"))
    form.get_by_label("Name", exact=False).fill("made-beside-it")
    form.get_by_role("button", name="Make and attach").press("Enter")
    row = page.get_by_role("row", name=re.compile("made-beside-it"))
    expect(row.locator(".state")).to_have_text("attached", timeout=SOON_MS)
