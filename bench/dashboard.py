"""Benchmark of the dashboard's pages, in a project of many instances.

Measured are the time of each page, beside the API's time for a list of instances alone, the bytes that a browser loads,
and then many pages that listen.

Times are of requests over loopback, one after the other, through nginx as in production.
"""

import argparse
import asyncio
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import httpx

from bench import stream
from bench.common import NO_QUOTAS, print_progress, report, spread
from scripts.api import Api
from scripts.control_plane import ROOT
from scripts.dashboard_cloud import PASSWORD, World, dashboard_world, email_of
from tests.browser.pages import PAGES
from tests.browser.snapshots import add_snapshots
from tests.fake_storage import NODE_OPTIONS

PORT = 8012
ROUNDS = 11
AT_A_TIME = 4
ROOMY = ("--fake-cores", "512", "--fake-memory-mib", str(2**20), "--fake-disk-gib", "8192")
ASSET = re.compile(r'(?:href|src)="(/static/[^"#]+)')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--instances", type=int, default=1000)
    parser.add_argument("--streams", type=int, default=500)
    options = parser.parse_args()
    var = ROOT / "var" / "bench-dashboard"
    cloud = dashboard_world(var, port=PORT, settings=NO_QUOTAS, agent_options=(*ROOMY, *NODE_OPTIONS))
    with cloud as world, closing(world.api()) as api:
        add_snapshots(world)
        fill(api, options.instances)
        floor = of_the_api(world, api)
        pages = {person or "nobody": of_pages(world, person, floor["p50_ms"]) for person in PAGES}
        streams = asyncio.run(stream.measure(world.cloud, api, options.streams))
        report({"instances": options.instances, "api_list_of_50": floor, "pages": pages, "streams": streams})


def fill(api: Api, count: int) -> None:
    """Create instances over the API, up to this number."""
    there = len(api.get("instances", limit="200")["items"])
    print_progress(f"creating {count - there} more instances")

    def make(number: int) -> None:
        body = {"name": f"many-{number}", "flavor": "tiny", "image": "tiny", "networks": ["lan"]}
        api.wait(api.post("instances", body)["operation"])

    with ThreadPoolExecutor(AT_A_TIME) as pool:
        list(pool.map(make, range(count - there)))


def of_pages(world: World, person: str, floor_ms: float) -> dict[str, Any]:
    """Measure pages by their addresses, as the user, or signed out without one."""
    with httpx.Client(base_url=world.url, follow_redirects=True) as browser:
        if person:
            sign_in(browser, email_of(person))
        return {page: measured(browser, world.address(page), floor_ms) for page in PAGES[person]}


def sign_in(browser: httpx.Client, email: str) -> None:
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', browser.get("/sign-in").text)
    assert token is not None
    form = {"csrfmiddlewaretoken": token[1], "email": email, "password": PASSWORD}
    if browser.post("/sign-in", data=form).url.path != "/":
        raise SystemExit(f"{email} could not sign in.")


def measured(browser: httpx.Client, path: str, floor_ms: float) -> dict[str, Any]:
    """A page, `ROUNDS` times after the first; bytes as they are transferred, compressed where they may be."""
    print_progress(path)
    page = browser.get(path)
    if page.status_code >= 500:
        raise SystemExit(f"{path}: status {page.status_code}.")
    took = spread(timed(lambda: browser.get(path)))
    size = len(_raw(browser, path))
    return {
        "p50_ms": took["p50_ms"],
        "p90_ms": took["p90_ms"],
        "ratio_to_the_api": round(took["p50_ms"] / floor_ms, 1),
        "bytes": size,
        "first_visit_bytes": size + sum(len(_raw(browser, asset)) for asset in set(ASSET.findall(page.text))),
    }


def of_the_api(world: World, api: Api) -> dict[str, float]:
    headers = {"Authorization": f"Bearer {world.token}"}
    with httpx.Client(base_url=world.url, headers=headers) as client:
        path = f"/v1/projects/{world.project}/instances"
        client.get(path).raise_for_status()
        return spread(timed(lambda: client.get(path).raise_for_status()))


def timed(request: Callable[[], object]) -> list[float]:
    """Return the seconds."""
    samples = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        request()
        samples.append(time.perf_counter() - begun)
    return samples


def _raw(browser: httpx.Client, path: str) -> bytes:
    """Return the raw bytes of the answer."""
    with browser.stream("GET", path, headers={"Accept-Encoding": "gzip"}) as answer:
        return b"".join(answer.iter_raw())


if __name__ == "__main__":
    main()
