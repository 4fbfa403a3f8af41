"""All pages that can be looked at, and by whom: what axe, the screenshots and the benchmark go through."""

from collections.abc import Mapping

# Who looks → addresses; written as World.address() reads them (scripts/dashboard_world.py).
TENANT = ("/", "/search?q=web", "@", "@/activity", "@/instances", "@/instances?name=nobody", "@/instances/{web-1}")
PAGES: Mapping[str, tuple[str, ...]] = {
    "": ("/sign-in", "/accessibility", "/nowhere"),
    "ada": TENANT,
}
