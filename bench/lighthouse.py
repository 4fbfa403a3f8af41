"""Lighthouse scores of the dashboard's main pages: the median over several runs, out of 100.

It loads each page as a phone on a slow line would (Lighthouse's default), in Chromium, for a signed-in user.
"""

import argparse
import json
import statistics
import subprocess
from typing import Any

from bench.common import print_progress, report
from scripts.browser import chromium_to_debug, sign_in
from scripts.control_plane import ROOT
from scripts.dashboard_cloud import dashboard_world, email_of

PORT, DEBUG_PORT = 8060, 8070
TOOL = ROOT / "bench" / "npm"
CATEGORIES = ("performance", "accessibility", "best-practices")
PAGES = {
    "start": "/",
    "overview": "@",
    "instances": "@/instances",
    "instance": "@/instances/{web-1}",
    "create": "@/instances/create",
}
RUN_MAX_S = 120


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    install()
    with dashboard_world(ROOT / "var" / "bench-lighthouse", port=PORT) as world, chromium_to_debug(DEBUG_PORT) as page:
        sign_in(page, email_of("ada"), url=world.url)
        pages = {name: measured(world.url + world.address(path), options.runs) for name, path in PAGES.items()}
        report({"runs": options.runs, "pages": pages})


def install() -> None:
    """Install the versions of the lock file, at the first run alone."""
    if not (TOOL / "node_modules" / ".package-lock.json").exists():
        print_progress("installing Lighthouse")
        subprocess.run(["npm", "ci", "--silent"], cwd=TOOL, check=True)


def measured(url: str, runs: int) -> dict[str, Any]:
    documents = [run(url) for _ in range(runs)]
    scores = {
        category: statistics.median(round(each["categories"][category]["score"] * 100) for each in documents)
        for category in CATEGORIES
    }
    return {**scores, "lost_by": lost(documents[-1])}


def run(url: str) -> dict[str, Any]:
    """Lighthouse's report, of the browser that has signed in."""
    print_progress(url)
    command = ["node", "node_modules/lighthouse/cli/index.js", url, "--quiet", "--output=json"]
    command += [f"--port={DEBUG_PORT}", "--disable-storage-reset", f"--only-categories={','.join(CATEGORIES)}"]
    ran = subprocess.run(command, cwd=TOOL, check=True, timeout=RUN_MAX_S, stdout=subprocess.PIPE)
    document: dict[str, Any] = json.loads(ran.stdout)
    return document


def lost(document: dict[str, Any]) -> list[str]:
    """Return the audits that cost points, with their findings."""
    counted = {
        each["id"] for name in CATEGORIES for each in document["categories"][name]["auditRefs"] if each["weight"]
    }
    audits = [document["audits"][name] for name in sorted(counted)]
    return [
        f"{each['id']}: {each.get('displayValue') or each['title']} ({round(each['score'] * 100)})"
        for each in audits
        if each["score"] is not None and each["score"] < 1
    ]


if __name__ == "__main__":
    main()
