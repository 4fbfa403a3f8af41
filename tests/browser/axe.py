"""Run axe-core on a page, by the rules of WCAG 2.2 AA and of the RGAA."""

from functools import cache
from typing import Any

from playwright.sync_api import Page

from scripts.control_plane import ROOT

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "RGAAv4", "best-practice"]
COLOURS = ["color-contrast", "link-in-text-block"]
# What is right with a page is most of what axe tells, element by element, unless it is asked for what is wrong alone.
RUN = "async options => (await axe.run(document, options)).violations"


@cache
def source() -> str:
    return (ROOT / "frontend" / "node_modules" / "axe-core" / "axe.min.js").read_text()


def violations(page: Page, *, of_colours: bool = False) -> list[str]:
    """Return one line for each violation: the rule, and the first element. `of_colours`: only rules about colours."""
    page.evaluate(source())
    only = {"type": "rule", "values": COLOURS} if of_colours else {"type": "tag", "values": TAGS}
    found: Any = page.evaluate(RUN, {"runOnly": only, "resultTypes": ["violations"]})
    return [f"{each['id']}: {each['help']}: {each['nodes'][0]['html'][:200]}" for each in found]
