"""The dashboard's pages in a project of many instances: the seconds until each is there, beside what the API takes for
the same list alone, and the bytes that a browser loads; then many pages that listen.

Times are of requests over loopback, one after the other, through nginx as in production.
"""

import argparse
import asyncio
import gzip
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import httpx

from bench import stream
from bench.common import report, say, spread
from scripts.api import Api
from scripts.dashboard_world import PASSWORD, World, dashboard_world
from scripts.stack import ROOT

PORT = 8012
ROUNDS = 20
AT_A_TIME = 4
ROOMY = ("--fake-cores", "512", "--fake-memory-mib", str(2**20), "--fake-disk-gib", "8192")
PERSON = "ada@example.org"
PAGES = {
    "start": "/",
    "overview": "@",
    "instances": "@/instances",
    "instance": "@/instances/{web-1}",
    "activity": "@/activity",
}
ASSET = re.compile(r'(?:href|src)="(/static/[^"#]+)')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--instances", type=int, default=1000)
    parser.add_argument("--streams", type=int, default=500)
    options = parser.parse_args()
    var = ROOT / "var" / "bench-dashboard"
    with dashboard_world(var, port=PORT, agent_options=ROOMY) as world, closing(world.api()) as api:
        fill(api, options.instances)
        with httpx.Client(base_url=world.url, follow_redirects=True) as browser:
            sign_in(browser)
            pages = {name: measured(browser, world.address(path)) for name, path in PAGES.items()}
        floor = of_the_api(world, api)
        for page in pages.values():
            page["ratio_to_the_api"] = round(page["time"]["p50_ms"] / floor["p50_ms"], 2)
        streams = asyncio.run(stream.measure(world.cloud, api, options.streams))
        report({"instances": options.instances, "api_list_of_50": floor, "pages": pages, "streams": streams})


def fill(api: Api, count: int) -> None:
    """Up to so many instances, over the API."""
    there = len(api.get("instances", limit="200")["items"])
    say(f"{count - there} instances more")

    def make(number: int) -> None:
        body = {"name": f"many-{number}", "flavor": "tiny", "image": "tiny", "networks": ["lan"]}
        api.wait(api.post("instances", body)["operation"])

    with ThreadPoolExecutor(AT_A_TIME) as pool:
        list(pool.map(make, range(count - there)))


def sign_in(browser: httpx.Client) -> None:
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', browser.get("/sign-in").text)
    assert token is not None
    form = {"csrfmiddlewaretoken": token[1], "email": PERSON, "password": PASSWORD}
    if browser.post("/sign-in", data=form).url.path != "/":
        raise SystemExit("Nobody could sign in.")


def measured(browser: httpx.Client, path: str) -> dict[str, Any]:
    """A page, `ROUNDS` times after the first; bytes as they are transferred, compressed where they may be."""
    say(path)
    page = browser.get(path).raise_for_status()
    assets = {asset: len(_raw(browser, asset)) for asset in set(ASSET.findall(page.text))}
    return {
        "time": spread(timed(lambda: browser.get(path).raise_for_status())),
        "html_bytes": len(page.content),
        "html_bytes_gzipped": len(gzip.compress(page.content)),
        "first_visit_bytes": len(_raw(browser, path)) + sum(assets.values()),
        "next_visit_bytes": len(_raw(browser, path)),
    }


def of_the_api(world: World, api: Api) -> dict[str, float]:
    headers = {"Authorization": f"Bearer {world.token}"}
    with httpx.Client(base_url=world.url, headers=headers) as client:
        path = f"/v1/projects/{world.project}/instances"
        client.get(path).raise_for_status()
        return spread(timed(lambda: client.get(path).raise_for_status()))


def timed(ask: Callable[[], object]) -> list[float]:
    """Seconds."""
    samples = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        ask()
        samples.append(time.perf_counter() - begun)
    return samples


def _raw(browser: httpx.Client, path: str) -> bytes:
    """As it comes over the wire."""
    with browser.stream("GET", path, headers={"Accept-Encoding": "gzip"}) as answer:
        return b"".join(answer.iter_raw())


if __name__ == "__main__":
    main()
