"""Without a mouse."""

from playwright.sync_api import expect

from scripts.dashboard_cloud import PASSWORD
from tests.browser.conftest import Opener
from tests.keyboard import follow, press, write


def test_user_signs_in_by_keyboard(opened: Opener) -> None:
    page = opened("").go("/sign-in")
    expect(page.get_by_label("E-mail address")).to_be_focused()
    page.keyboard.type("victor@example.org")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Projects")


def test_first_tab_stop_skips_the_menus(opened: Opener) -> None:
    page = opened("ada").go("@/instances")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    expect(page.get_by_role("link", name="Skip to the content")).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


def test_skip_link_keeps_the_focus_on_form_errors(opened: Opener) -> None:
    page = opened("ada").go("@/ssh-keys/new")
    write(page, page.locator("#id_name"), "tablet")
    write(page, page.locator("#id_public_key"), "no key")
    follow(page, page.locator("main form button").first)
    expect(page.get_by_role("alert")).to_be_focused()


def test_menus_open_close_and_return_the_focus(opened: Opener) -> None:
    page = opened("ada").go("@/instances")
    press(page, page.get_by_role("button", name="ada@example.org"))
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Sign out")).to_be_hidden()
    expect(page.get_by_role("button", name="ada@example.org")).to_be_focused()


def test_palette_opens_a_resource_by_its_name(opened: Opener) -> None:
    page = opened("ada").go("/")
    page.keyboard.press("Control+k")
    field = page.get_by_role("combobox")
    expect(field).to_be_focused()
    page.keyboard.type("web-2")
    expect(page.get_by_role("option")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("web-2")


def test_palette_moves_by_arrows_and_closes_by_escape(opened: Opener) -> None:
    page = opened("ada").go("@")
    page.keyboard.press("Control+k")
    options = page.get_by_role("option")
    expect(options.nth(0)).to_have_attribute("aria-selected", "true")
    page.keyboard.press("ArrowDown")
    expect(options.nth(1)).to_have_attribute("aria-selected", "true")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    expect(options.last).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Escape")
    expect(page.get_by_role("combobox")).to_be_hidden()


def test_menu_opens_on_a_phone(opened: Opener) -> None:
    page = opened("ada", viewport={"width": 390, "height": 800}).go("@")
    menu = page.get_by_role("navigation", name="Main menu")
    expect(menu).to_be_hidden()
    press(page, page.get_by_role("button", name="Menu", exact=True))
    expect(menu).to_be_visible()
    press(page, menu.get_by_role("link", name="Instances"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Instances")
