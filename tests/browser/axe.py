"""What axe-core finds wrong with a page, by the rules of WCAG 2.2 AA and of the RGAA."""

from functools import cache
from typing import Any

from playwright.sync_api import Page

from scripts.stack import ROOT

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "RGAAv4", "best-practice"]


@cache
def source() -> str:
    return (ROOT / "frontend" / "node_modules" / "axe-core" / "axe.min.js").read_text()


def violations(page: Page) -> list[str]:
    """One line for each: the rule, and the first element that breaks it."""
    page.evaluate(source())
    found: Any = page.evaluate("tags => axe.run(document, {runOnly: {type: 'tag', values: tags}})", TAGS)
    return [f"{each['id']}: {each['help']}: {each['nodes'][0]['html'][:200]}" for each in found["violations"]]
