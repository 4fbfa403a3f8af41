"""Commands of snapshots: what the API of a cloud without a storage cluster refuses, and what a revert asks."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from andromede_sdk import Client
from scripts.control_plane import ROOT
from tests.clients.cli import Inside, inside
from tests.clients.conftest import Live

pytestmark = pytest.mark.slow

PLAN = {
    "volume": {"id": "019abc00-0000-7000-8000-000000000001", "name": "data"},
    "snapshot": {"id": "019abc00-0000-7000-8000-000000000002", "name": "before"},
    "lost_since": "2026-05-01T12:00:00Z",
    "size_gib": 20,
    "snapshot_size_gib": 10,
    "younger_snapshots": [
        {"id": "019abc00-0000-7000-8000-000000000003", "name": "later", "taken_at": "2026-05-02T12:00:00Z"}
    ],
    "instance": None,
}
SNAPSHOTS = json.loads((ROOT / "docs/reference/examples/snapshots.json").read_text())
INSTANCES = json.loads((ROOT / "docs/reference/examples/instances.json").read_text())
EXAMPLES = json.loads((ROOT / "docs/reference/examples/volumes.json").read_text())


@pytest.fixture
def cli(tmp_path: Path, live: Live, client: Client) -> Inside:
    return inside(tmp_path, live, live.token, ANDROMEDE_PROJECT="demo")


@contextmanager
def api_of_snapshots() -> Iterator[tuple[str, list[str]]]:
    """An API that reverts volumes, updates snapshots and takes those of instances.

    What it got: paths of reverts, and bodies of the others.
    """
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.answer(200, SNAPSHOTS["snapshot_list"]["answer"]["body"])

        def do_POST(self) -> None:
            if "/actions/snapshot" in self.path:
                asked.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
                self.answer(202, INSTANCES["instance_snapshot"]["answer"]["body"])
                return
            asked.append(self.path)
            self.rfile.read(int(self.headers["Content-Length"]))
            status, body = (200, PLAN) if "dry_run=true" in self.path else (202, reverted())
            self.answer(status, body)

        def do_PATCH(self) -> None:
            asked.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.answer(200, SNAPSHOTS["snapshot_update"]["answer"]["body"])

        def answer(self, status: int, body: Any) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def reverted() -> Any:
    return EXAMPLES["volume_revert"]["answer"]["body"]


def test_a_cloud_without_a_storage_cluster_takes_no_snapshots(cli: Inside) -> None:
    cli.ok("volume", "create", "data", "--size", "1")
    for expires in ("7d", "2099-05-01T12:00:00Z"):
        refused = cli("snapshot", "create", "data", "before", "--expires", expires, "--label", "env=prod")
        assert "no snapshots can be taken" in refused.err
    assert "not in the future" in cli("snapshot", "create", "data", "before", "--expires", "2020-01-01").err
    assert "is not a duration or time" in cli("snapshot", "create", "data", "before", "--expires", "soon").err
    assert cli.ok("snapshot", "list", "--volume", "data", "-o", "json").json == []
    assert "no snapshot 'before'" in cli("snapshot", "show", "before").err
    assert "no snapshot 'before'" in cli("snapshot", "update", "before", "--name", "kept", "--expires", "4w").err
    assert "no snapshot 'before'" in cli("snapshot", "delete", "before", "--yes").err
    assert "no snapshot 'before'" in cli("volume", "revert", "data", "before", "--yes").err
    assert "no snapshot 'before'" in cli("volume", "create", "copy", "--snapshot", "before").err
    assert "required" in cli("volume", "create", "copy").err
    cli.ok("volume", "delete", "data", "--yes")


def test_revert_lists_the_losses_and_needs_confirmation(cli: Inside) -> None:
    with api_of_snapshots() as (url, asked):
        words = ("volume", "revert", "data", "before", "--no-wait")
        here = {"ANDROMEDE_URL": url}
        unsure = cli(*words, **here)
        assert unsure.code != 0
        assert "Everything written to data since 2026-05-01T12:00:00+00:00 is lost." in unsure.err
        assert "Its size stays: 20 GiB. Younger snapshots stay: later." in unsure.err
        assert "Revert data to before?" in unsure.err
        cli.ok(*words, "--dry-run", **here)
        assert all("dry_run=true" in path for path in asked)
        cli.ok(*words, "--yes", **here)
        assert "dry_run" not in asked[-1]


def test_expiry_is_removed_and_kept_when_it_is_not_named(cli: Inside) -> None:
    with api_of_snapshots() as (url, asked):
        here = {"ANDROMEDE_URL": url}
        cli.ok("snapshot", "update", "before", "--expires", "never", **here)
        cli.ok("snapshot", "update", "before", "--name", "kept", **here)
        assert [json.loads(body) for body in asked] == [{"expires_at": None}, {"name": "kept"}]


def test_snapshots_of_an_instance_are_requested_and_listed_by_group(cli: Inside) -> None:
    with api_of_snapshots() as (url, asked):
        words = ("instance", "snapshot", "web-1", "--name", "then", "--consistency", "filesystem", "--no-wait")
        shown = cli.ok(*words, "--volume", "data", "-o", "json", ANDROMEDE_URL=url).json
        assert json.loads(asked[0]) == {"name": "then", "consistency": "filesystem", "volumes": ["data"]}
        group = INSTANCES["instance_snapshot"]["answer"]["body"]["group"]
        assert f"group={group}" in asked[1]
        assert [each["id"] for each in shown] == [
            each["id"] for each in SNAPSHOTS["snapshot_list"]["answer"]["body"]["items"]
        ]


def test_snapshot_schedule_is_created_changed_and_deleted(cli: Inside) -> None:
    words = ("snapshot-schedule", "create", "nightly", "--frequency", "weekly", "--weekday", "sunday", "--at", "02:30")
    assert "either a volume or a selector" in cli(*words).err
    cli.ok(*words, "--selector", "env=prod", "--timezone", "Europe/Paris", "--keep", "4", "--label", "env=prod")
    shown = cli.ok("snapshot-schedule", "show", "nightly", "-o", "json").json
    assert (shown["at"], shown["weekday"], shown["timezone"], shown["keep"]) == ("02:30", "sunday", "Europe/Paris", 4)
    monthly = ("--frequency", "monthly", "--day", "28", "--at", "03:00", "--paused", "--label", "env=test")
    changed = cli.ok("snapshot-schedule", "update", "nightly", "--name", "monthly", *monthly, "-o", "json").json
    assert (changed["state"], changed["day"], changed["weekday"]) == ("paused", 28, None)
    assert cli.ok("snapshot-schedule", "list", "-o", "name").out == "monthly\n"
    cli.ok("snapshot-schedule", "delete", "monthly", "--yes")
