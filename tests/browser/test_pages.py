"""Every page, in both languages and both themes: nothing that axe-core knows is wrong, nothing is complained about in
the console, nothing is wider than a phone."""

from itertools import cycle
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, ViewportSize

from scripts.dashboard_cloud import World
from tests.browser.axe import violations
from tests.browser.conftest import Opener, Seen
from tests.browser.pages import PAGES
from tests.browser_console import collect_console_errors

DESK: ViewportSize = {"width": 1280, "height": 720}
PHONE: ViewportSize = {"width": 320, "height": 640}  # also what 1280 pixels are at 400 % (WCAG 1.4.10)
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
NOT_FOUND = "the server responded with a status of 404"


def name_of(person: str) -> str:
    return person or "anybody"


@pytest.mark.nightly
@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("person", list(PAGES), ids=name_of)
def test_axe_finds_no_violation(opened: Opener, person: str, language: str) -> None:
    """All that it knows, in light colours; then, on the same page, in dark ones what depends on colours."""
    seen = opened(person, language=language, color_scheme="light", reduced_motion="reduce")
    found = {}
    for path in PAGES[person]:
        page = go(seen, path)
        found[path, "light"] = violations(page)
        page.emulate_media(color_scheme="dark")
        found[path, "dark"] = violations(page, of_colours=True)
        page.emulate_media(color_scheme="light")
    assert {place: wrong for place, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize(
    ("person", "language"), list(zip(PAGES, cycle(["en", "fr"]), strict=False)), ids=lambda each: each or "anybody"
)
def test_axe_finds_no_violation_in_one_language_and_theme(opened: Opener, person: str, language: str) -> None:
    """Every twelfth page once, then as wide as a phone; the theme changes from page to page."""
    found, wide = {}, {}
    seen = opened(person, language=language, reduced_motion="reduce")
    for path, theme in zip(PAGES[person][::12], cycle(THEMES), strict=False):
        seen.page.set_viewport_size(DESK)
        seen.page.emulate_media(color_scheme=theme)
        found[path, theme] = violations(page := go(seen, path))
        page.set_viewport_size(PHONE)
        wide[path] = page.evaluate("document.documentElement.scrollWidth")
    assert {place: wrong for place, wrong in found.items() if wrong} == {}
    assert {path: width for path, width in wide.items() if width > PHONE["width"]} == {}


@pytest.mark.nightly
@pytest.mark.parametrize("person", list(PAGES), ids=name_of)
def test_pages_fit_the_width_of_a_phone(opened: Opener, person: str) -> None:
    seen = opened(person, language="fr", viewport=PHONE)
    wide = {}
    for path in PAGES[person]:
        width = go(seen, path).evaluate("document.documentElement.scrollWidth")
        if width > PHONE["width"]:
            wide[path] = width
    assert wide == {}


def test_refusal_by_the_content_security_policy_is_collected(chrome: Browser, world: World) -> None:
    context = chrome.new_context(base_url=world.url)
    complaints = collect_console_errors(context)
    page = context.new_page()
    page.goto("/sign-in")
    assert complaints == []
    with page.expect_console_message(lambda message: "policy refuses" in message.text):
        page.evaluate("document.body.append(Object.assign(document.createElement('script'), {textContent: '0'}))")
    context.close()
    assert "The page's policy refuses: script-src-elem inline" in complaints


def go(seen: Seen, path: str) -> Page:
    page = seen.go(path)
    if path == "/nowhere":  # that it is not there is what the page is about
        seen.complaints[:] = [text for text in seen.complaints if NOT_FOUND not in text]
    return page
