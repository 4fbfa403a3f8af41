"""Debian's Chromium, driven by Playwright."""

from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory

from playwright.sync_api import Browser, Page, sync_playwright

from scripts.dashboard_cloud import PASSWORD

CHROMIUM = "/usr/bin/chromium"
QUIET = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# What a browser asks for, by the language of the page.
LOCALES = {"en": "en-GB", "fr": "fr-FR"}


@contextmanager
def chromium_to_debug(port: int) -> Iterator[Page]:
    """Start a browser that other programs can control over the port, with the cookies of the page."""
    with sync_playwright() as playwright, TemporaryDirectory() as folder:
        options = {"executable_path": CHROMIUM, "args": [*QUIET, f"--remote-debugging-port={port}"]}
        context = playwright.chromium.launch_persistent_context(folder, **options)  # type: ignore[arg-type]
        yield context.pages[0]
        context.close()


@contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield browser
        browser.close()


def sign_in(page: Page, email: str, password: str = PASSWORD, *, url: str = "") -> None:
    """Sign in, in any language. `url`: of the dashboard, where the page has no base."""
    page.goto(f"{url}/sign-in")
    page.locator("[name=email]").fill(email)
    page.locator("[name=password]").fill(password)
    page.locator("main form button").first.click()
    page.wait_for_url("**/")
