"""Steps of the journeys by keyboard, from a page of a project."""

import re

from playwright.sync_api import Page, expect

from tests.keyboard import follow, reach, write

SOON_MS = 60_000


def section(page: Page, words: str) -> None:
    follow(page, page.get_by_role("navigation", name="Main menu").get_by_role("link", name=words, exact=True))


def submit(page: Page, words: str) -> None:
    follow(page, page.locator("main form").get_by_role("button", name=words, exact=True))


def tick(page: Page, name: str, words: str) -> None:
    box = page.locator(f"[name={name}]").and_(page.get_by_label(re.compile(rf"^\s*{words}\b")))
    reach(page, box)
    page.keyboard.press("Space")
    expect(box).to_be_checked()


def link(page: Page, words: str) -> None:
    """Follow a link of the content."""
    follow(page, page.locator("main").get_by_role("link", name=words, exact=True).first)


def create(page: Page, words: str, **fields: str) -> None:
    """Create a resource by the form of the page."""
    link(page, words)
    for name, text in fields.items():
        write(page, page.locator(f"[name={name}]"), text)


def fact(page: Page, words: str) -> str:
    return page.locator("dt", has_text=words).locator("xpath=following-sibling::dd[1]").inner_text()
