"""`make fuzz`: Schemathesis against a control plane of its own with nodes that only pretend, by the OpenAPI document.

All phases, as each kind of caller, again and again with another seed until enough requests were sent. What was found is
printed as JSON; the exit status is 1 if that is anything, or if the time was over before enough was sent.
"""

import argparse
import itertools
import json
import os
import secrets
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from bench.common import UNLIMITED, say
from scripts.api import Api
from scripts.cloud import Cloud
from scripts.fuzz_hooks import COUNTS, OWN, PLACES, UNTIL, UUID
from scripts.stack import BIN, ROOT, Stack
from scripts.waiting import wait_until

REFERENCE = ROOT / "docs" / "reference" / "openapi.json"
CONFIGURATION = ROOT / "scripts" / "fuzz.toml"
PORT = 8040
FAKE_PORT = 17543
ZONES = {"fuzz-a": "fr-idf-1", "fuzz-b": "fr-idf-2"}
PROJECT = "fuzz"
PASSWORD = "a pass phrase for fuzzing alone"
IMAGES = ("tiny", "debian-13")  # of which the examples of the reference speak
SSH_KEY = {
    "name": "laptop",
    "public_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl",
}
PHASES = "examples,coverage,fuzzing,stateful"
WORKERS = 1  # threads of more trip over a fault of Python 3.11 in ast.parse


@dataclass
class Findings:
    requests: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    operations: set[str] = field(default_factory=set)
    findings: list[dict[str, Any]] = field(default_factory=list)

    @property
    def document(self) -> dict[str, Any]:
        return {
            "requests": self.requests,
            "statuses": dict(sorted(self.statuses.items())),
            "operations": len(self.operations),
            "findings": self.findings,
        }

    def add(self, run: "Run") -> None:
        for each, count in run.counts.items():
            operation, status = each.rsplit(" ", 1)
            self.requests += count
            self.statuses[status] += count
            self.operations.add(operation)
        self.findings += run.findings


@dataclass(frozen=True)
class World:
    """`callers`: who asks → by which secret. `places`: parameters of paths → one that there is. `own`: ids of those who
    ask, whose rights nobody is to end."""

    cloud: Cloud
    callers: Mapping[str, str]
    places: Mapping[str, str]
    own: Sequence[str]


def main() -> int:
    arguments = _arguments()
    with fuzz_world() as world:
        found = fuzz(world, arguments)
    print(json.dumps(found.document, indent=2))
    return 1 if found.findings or found.requests < arguments.requests else 0


def fuzz(world: World, arguments: argparse.Namespace) -> Findings:
    """Rounds of all callers at once, each with another seed, until enough was sent or the time is over."""
    found, until = Findings(), time.time() + arguments.seconds
    for number in itertools.count():
        runs = [
            Run(world, caller, f"{number}-{caller}", arguments.seed + number, arguments, until)
            for caller in world.callers
        ]
        with ThreadPoolExecutor(len(runs)) as pool:
            list(pool.map(Run.execute, runs))
        for run in runs:
            found.add(run)
        if found.requests >= arguments.requests or time.time() > until:
            break
    return found


@dataclass(frozen=True)
class Run:
    """All phases once, as one caller. `until`: it is broken off then, in seconds since the epoch."""

    world: World
    caller: str
    name: str
    seed: int
    arguments: argparse.Namespace
    until: float

    @property
    def folder(self) -> Path:
        return self.world.cloud.stack.var / self.name

    @property
    def counts(self) -> dict[str, int]:
        """Of requests, by operation and status."""
        found: dict[str, int] = json.loads((self.folder / "counts.json").read_text())
        return found

    @property
    def findings(self) -> list[dict[str, Any]]:
        document = json.loads((self.folder / "report.json").read_text())
        return [
            {"caller": self.caller, "seed": self.seed, **each} for each in (*document["failures"], *document["errors"])
        ]

    def execute(self) -> None:
        self.folder.mkdir()
        say(f"as {self.caller}, seed {self.seed}: {self.folder}/log.txt")
        command = [str(BIN / "schemathesis"), "--config-file", str(CONFIGURATION), "run", str(REFERENCE), "--no-color"]
        command += ["--url", self.world.cloud.stack.url, "--workers", str(WORKERS), "--seed", str(self.seed)]
        command += ["--report-json-path", str(self.folder / "report.json")]
        command += ["--max-examples", str(self.arguments.examples), "--phases", self.arguments.phases]
        if self.arguments.only:
            command += ["--include-operation-id-regex", self.arguments.only]
        with (self.folder / "log.txt").open("w") as log:
            subprocess.run(
                command, cwd=self.folder, env=self._environment(), stdout=log, stderr=subprocess.STDOUT, check=False
            )

    def _environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "ANDROMEDE_FUZZ_TOKEN": self.world.callers[self.caller],
            COUNTS: str(self.folder / "counts.json"),
            PLACES: json.dumps(self.world.places),
            OWN: json.dumps(self.world.own),
            UNTIL: str(self.until),
        }


@contextmanager
def fuzz_world() -> Iterator[World]:
    """A cloud that ends with the block; the folder with all logs stays until the next one."""
    stack = Stack(ROOT / "var" / "fuzz", port=PORT, is_durable=False, settings=UNLIMITED)
    cloud = Cloud(stack, ZONES, is_fake=True, fake_port=FAKE_PORT, say=say)
    cloud.down()
    cloud.forget()
    try:
        cloud.up()
        yield _furnished(cloud)
    finally:
        cloud.down()


def _furnished(cloud: Cloud) -> World:
    """With what the examples of the reference speak of, and somebody of each kind who asks."""
    stack = cloud.stack
    of_project, operator = cloud.make_project(PROJECT)
    owner = stack.manage("create_token", f"{PROJECT}@example.org", "--name", "all", "--role", "owner", "--days", "30")
    disk = stack.var / "disk.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(disk), "16M"], check=True)
    for image in IMAGES:
        stack.manage("import_image", image, str(disk), "--format", "qcow2")
    with closing(Api(stack.url, operator)) as nodes:
        wait_until(lambda: all(node["state"] == "ready" for node in nodes.get("/v1/nodes")["items"]))
    with closing(Api(stack.url, of_project, project=PROJECT)) as api:
        api.post("networks", {"name": "lan", "cidr": "10.0.0.0/16"})
        api.post("ssh-keys", SSH_KEY)
        project = api.get(f"/v1/projects/{PROJECT}")
    callers = {"owner": owner, "operator": operator, "person": _signed_in(cloud)}
    places = {
        "project": project["id"],
        "organization": project["organization"]["id"],
        "zone": next(iter(ZONES.values())),
        "node": next(iter(ZONES)),
    }
    known = [_known(stack.url, secret) for secret in callers.values()]
    ids = [found[0] for found in UUID.finditer(json.dumps([*known, project]))]
    return World(cloud, callers, places, sorted({*ids, *places.values()}))


def _known(url: str, secret: str) -> Any:
    with closing(Api(url, secret)) as api:
        return api.get("/v1/me")


def _signed_in(cloud: Cloud) -> str:
    """The secret of a session of a member, for what no token may do."""
    stack, email = cloud.stack, "person@example.org"
    stack.manage("create_user", email)
    stack.manage("add_member", PROJECT, email, "member")
    stack.manage("set_password", email, stdin=PASSWORD)
    answer = httpx.post(f"{stack.url}/v1/sessions", json={"email": email, "password": PASSWORD})
    return str(answer.raise_for_status().json()["secret"])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=20_000, help="send at least so many (20 000)")
    parser.add_argument("--seconds", type=int, default=7200, help="break off after so many seconds (7200)")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**31), help="of the first round")
    parser.add_argument("--examples", type=int, default=10, help="per operation and round (10)")
    parser.add_argument("--phases", default=PHASES, help=f"some of {PHASES}")
    parser.add_argument("--only", default="", help="a regular expression of operation ids")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
