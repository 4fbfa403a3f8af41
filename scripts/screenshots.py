"""`make screenshots`: pictures of the dashboard in docs/images/dashboard, taken of a cloud with fake nodes."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.common import print_progress
from scripts.browser import LOCALES, chromium, sign_in
from scripts.control_plane import ROOT
from scripts.dashboard_cloud import World, dashboard_world, email_of

PORT = 8050
FOLDER = ROOT / "docs" / "images" / "dashboard"
DESK, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}


@dataclass(frozen=True)
class Picture:
    """A picture: user, page (World.address) and settings."""

    person: str
    page: str
    language: str = "en"
    theme: str = "light"
    size: Mapping[str, int] = field(default_factory=lambda: DESK)


PICTURES: Mapping[str, Picture] = {
    "overview": Picture("ada", "@"),
    "instances": Picture("ada", "@/instances"),
    "create": Picture("ada", "@/instances/create?name=web-3&flavor=tiny&image=tiny"),
    "instance": Picture("ada", "@/instances/{web-1}", language="fr", theme="dark"),
    "placement": Picture("ada", "@/instances/{web-1}/placement"),
    "topology": Picture("ada", "@/networks/{lan}/topology"),
    "volume-on-a-phone": Picture("ada", "@/volumes/{data-1}", language="fr", size=PHONE),
    "policy": Picture("officer", "@/policy"),
    "zone": Picture("officer", "/zones/fr-est-1", language="fr"),
    "fleet": Picture("operator", "/platform/nodes", theme="dark"),
    "evidence": Picture("auditor", "/evidence"),
}


def main() -> int:
    FOLDER.mkdir(parents=True, exist_ok=True)
    with dashboard_world(ROOT / "var" / "screenshots", port=PORT) as world:
        take(world)
    return 0


def take(world: World) -> None:
    with chromium() as browser:
        for name, picture in PICTURES.items():
            print_progress(name)
            context = browser.new_context(
                base_url=world.url,
                locale=LOCALES[picture.language],
                color_scheme=picture.theme,  # type: ignore[arg-type]
                viewport=picture.size,  # type: ignore[arg-type]
            )
            page = context.new_page()
            sign_in(page, email_of(picture.person))
            page.goto(world.address(picture.page))
            page.wait_for_load_state("networkidle" if not page.locator("[data-stream]").count() else "load")
            page.screenshot(path=Path(FOLDER, f"{name}.png"))
            context.close()


if __name__ == "__main__":
    sys.exit(main())
