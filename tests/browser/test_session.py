"""The warning before a session ends, and what becomes of a form that somebody is filling in."""

import re

import pytest
from playwright.sync_api import Page, Route, expect

from scripts.browser import sign_in
from tests.browser.axe import violations
from tests.browser.conftest import Opener
from tests.nightly import as_nightly

FORM = "/organizations/sante/edit"
STAY = {"en": "Stay signed in", "fr": "Rester connecté"}


def typing(page: Page) -> Page:
    """Begin to fill in the form of a page without live updates."""
    page.get_by_label(re.compile("^(Labels|Étiquettes)")).fill("half=typed")
    return page


def typed(page: Page) -> None:
    expect(page.get_by_label(re.compile("^(Labels|Étiquettes)"))).to_have_value("half=typed")


@pytest.mark.parametrize("language", [as_nightly("en"), "fr"])
def test_idle_user_is_warned_and_stays_signed_in(opened: Opener, language: str) -> None:
    seen = opened("owner", language=language)
    seen.page.clock.install()
    page = typing(seen.go(FORM))
    dialog, stay = page.get_by_role("alertdialog"), page.get_by_role("button", name=STAY[language])
    page.clock.fast_forward("56:30")
    expect(dialog).to_be_hidden()
    page.clock.fast_forward("00:40")
    expect(stay).to_be_focused()
    assert violations(page) == []
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    typed(page)
    page.clock.fast_forward("56:30")
    expect(dialog).to_be_hidden()
    page.clock.fast_forward("00:40")
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    page.clock.fast_forward("00:30")
    expect(dialog).to_be_hidden()


def test_activity_in_another_tab_extends_the_session(opened: Opener) -> None:
    seen = opened("owner")
    seen.page.clock.install()
    page = seen.go(FORM)
    page.clock.fast_forward("57:10")
    dialog = page.get_by_role("alertdialog")
    expect(dialog).to_be_visible()
    other = page.context.new_page()
    other.goto("/account")
    expect(dialog).to_be_hidden()


def test_form_is_sent_after_a_new_sign_in(opened: Opener) -> None:
    seen = opened("")
    sign_in(seen.page, "owner@example.org")
    seen.page.clock.install()
    page = typing(seen.go(FORM))
    page.context.clear_cookies(name="andromede_session")
    page.clock.fast_forward("59:10")
    link = page.get_by_role("link", name="Sign in again in another tab")
    expect(link).to_be_focused()
    expect(page.get_by_role("heading", name="Your session has ended")).to_be_visible()
    with page.expect_popup() as opening:
        page.keyboard.press("Enter")
    sign_in(opening.value, "owner@example.org")
    expect(page.get_by_role("alertdialog")).to_be_hidden()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Changes saved.")).to_be_visible()


def test_session_that_cannot_be_extended_is_announced(opened: Opener) -> None:
    seen = opened("owner")

    def soon(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, body=re.sub(r'data-left-s="\d+"', 'data-left-s="100"', answer.text()))

    seen.page.route(f"**{FORM}", soon)
    page = seen.go(FORM)
    expect(page.get_by_role("heading", name="Your session is about to end")).to_be_visible()
    expect(page.get_by_role("link", name="Sign in again in another tab")).to_be_focused()
    expect(page.get_by_role("button", name="Stay signed in")).to_be_hidden()
