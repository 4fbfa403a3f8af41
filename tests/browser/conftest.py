"""Chromium, over a cloud with fake nodes and resources of each kind."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from scripts.browser import LOCALES, chromium, sign_in
from scripts.control_plane import ROOT
from scripts.dashboard_cloud import World, dashboard_world, email_of
from tests.browser.snapshots import add_snapshots
from tests.browser_console import collect_console_errors
from tests.fake_storage import NODE_OPTIONS

PORT = 8140


@dataclass
class Seen:
    """A page, with all of its console errors."""

    page: Page
    world: World
    complaints: list[str]

    def go(self, path: str) -> Page:
        """Open an address in the form of World.address()."""
        self.page.goto(self.world.address(path))
        return self.page


@pytest.fixture(scope="package")
def world() -> Iterator[World]:
    with dashboard_world(ROOT / "var" / "test-browser", port=PORT, agent_options=NODE_OPTIONS) as created:
        add_snapshots(created)
        yield created


@pytest.fixture(scope="package")
def chrome() -> Iterator[Browser]:
    """Return the browser until the module's end: while Playwright runs, Django takes this process for asynchronous."""
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="package")
def sessions(world: World, chrome: Browser, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Sign in each user once; later browsers start from the stored session."""
    kept: dict[str, Path] = {}

    def of(person: str) -> Path:
        if person not in kept:
            context = chrome.new_context(base_url=world.url)
            page = context.new_page()
            sign_in(page, email_of(person))
            kept[person] = tmp_path_factory.mktemp("session") / f"{person}.json"
            context.storage_state(path=kept[person])
            context.close()
        return kept[person]

    return of


Opener = Callable[..., Seen]


@pytest.fixture
def opened(world: World, chrome: Browser, sessions: Callable[[str], Path]) -> Iterator[Opener]:
    """Open a new browser of a signed-in user. At the end of the test there must be no console error."""
    contexts: list[BrowserContext] = []
    all_seen: list[Seen] = []

    def open_(person: str, *, language: str = "en", **options: Any) -> Seen:
        state = sessions(person) if person else None
        options = {"locale": LOCALES[language], "storage_state": state, "base_url": world.url, **options}
        context = chrome.new_context(**options)
        contexts.append(context)
        seen = Seen(context.new_page(), world, collect_console_errors(context))
        all_seen.append(seen)
        return seen

    yield open_
    for context in contexts:
        context.close()
    assert [seen.complaints for seen in all_seen if seen.complaints] == []
