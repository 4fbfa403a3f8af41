"""`make screenshots`: the pictures of the dashboard in docs/images/dashboard, taken of a cloud with pretended nodes."""

import sys
from collections.abc import Mapping
from pathlib import Path

from bench.common import say
from scripts.browser import LOCALES, chromium, sign_in
from scripts.dashboard_world import World, dashboard_world, email_of
from scripts.stack import ROOT

PORT = 8016
FOLDER = ROOT / "docs" / "images" / "dashboard"
SIZE = {"width": 1280, "height": 800}
# The file's name → who looks, in which language and theme, at which page.
PICTURES: Mapping[str, tuple[str, str, str, str]] = {
    "overview": ("ada", "en", "light", "@"),
    "instances": ("ada", "en", "light", "@/instances"),
    "instance": ("ada", "fr", "dark", "@/instances/{web-1}"),
}


def main() -> int:
    FOLDER.mkdir(parents=True, exist_ok=True)
    with dashboard_world(ROOT / "var" / "screenshots", port=PORT) as world:
        take(world)
    return 0


def take(world: World) -> None:
    with chromium() as browser:
        for name, (person, language, theme, path) in PICTURES.items():
            say(name)
            options = {"locale": LOCALES[language], "viewport": SIZE, "base_url": world.url}
            context = browser.new_context(color_scheme=theme, **options)  # type: ignore[arg-type]
            page = context.new_page()
            sign_in(page, email_of(person))
            page.goto(world.address(path))
            page.screenshot(path=Path(FOLDER, f"{name}.png"))
            context.close()


if __name__ == "__main__":
    sys.exit(main())
