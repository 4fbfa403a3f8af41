"""A serial console in a browser, over a guest that echoes what is typed."""

import re
from contextlib import closing

from playwright.sync_api import expect

from scripts.api import Api
from scripts.dashboard_cloud import World
from scripts.polling import wait_until
from tests.browser.conftest import Opener

LOG = "instances/web-1/console-log"
# "Where is the cursor?", and what a terminal answers (ECMA-48, DSR and CPR).
QUESTION, ANSWER = "\x1b[6n", re.compile(r"\x1b\[\d+;\d+R")
PROMPT = "fake# "
SOON_MS = 20_000


def has_answers(api: Api, count: int) -> bool:
    return len(ANSWER.findall(api.text(LOG))) >= count


def test_terminal_answers_only_current_queries_of_the_guest(opened: Opener, world: World) -> None:
    page = opened("ada").go("@/instances/{web-1}/console")
    shown = page.locator("#console .xterm-accessibility")
    expect(page.locator("#console-status")).to_contain_text("Connected", timeout=SOON_MS)
    with closing(world.api()) as api:
        expect(shown).to_contain_text("booted", timeout=SOON_MS)
        # The guest writes the line twice, so that it asks twice.
        page.get_by_role("button", name="Paste").click()
        page.locator("#paste-text").fill(f"{QUESTION}\n")
        page.get_by_role("button", name="Send text").click()
        wait_until(lambda: has_answers(api, 2))
        page.locator("#console textarea").focus()
        page.keyboard.press("Enter")
        wait_until(lambda: api.text(LOG).endswith(f"R\r\n{PROMPT}"))
        page.keyboard.type("end\n")
        wait_until(lambda: api.text(LOG).endswith(f"end\r\n{PROMPT}"))

        page.reload()
        expect(shown).to_contain_text("end", timeout=SOON_MS)
        page.locator("#console textarea").focus()
        page.keyboard.type("again\n")
        wait_until(lambda: api.text(LOG).endswith(f"again\r\n{PROMPT}"))
        assert f"{PROMPT}again\r\nagain\r\n{PROMPT}" in api.text(LOG)
