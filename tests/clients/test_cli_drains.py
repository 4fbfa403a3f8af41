"""Drains and maintenance on the command line, on a cloud where no node can take the guests of another."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.cli import Inside, inside
from tests.clients.conftest import Live

NODE = "node-b"


@pytest.fixture
def operator(tmp_path: Path, live: Live) -> Inside:
    return inside(tmp_path, live, live.operator)


@pytest.fixture
def guest(tmp_path: Path, live: Live) -> Iterator[str]:
    """One that runs on the node, and cannot be moved."""
    cli = inside(tmp_path, live, live.token, ANDROMEDE_PROJECT="demo")
    name = f"stays-{secrets.token_hex(3)}"
    cli.ok("instance", "create", name, "--flavor", "tiny", "--image", "tiny", "--zone", "de-rhein-1")
    yield name
    cli.ok("instance", "delete", name, "--yes")


def test_empty_node_enters_maintenance_and_returns(operator: Inside) -> None:
    plan = operator.ok("node", "drain", NODE, "--dry-run", "-o", "json").json
    assert (plan["counts"], plan["guests"]) == ({}, [])
    assert operator.ok("node", "show", NODE, "-o", "json").json["life"] == "ready"
    ended = operator.ok("node", "drain", NODE, "--yes", "--reason", "memory", "-o", "json").json
    assert (ended["state"], ended["progress"], ended["reason"]) == ("done", 100, "memory")
    assert operator.ok("node", "list", "--duty", "maintenance", "-o", "name").out.split() == [NODE]
    assert operator.ok("node", "drains", "--state", "done", "-o", "json").json[0]["node"]["name"] == NODE
    assert operator.ok("node", "return", NODE, "-o", "json").json["life"] == "ready"
    assert operator.ok("node", "maintenance", NODE, "--reason", "disks", "-o", "json").json["duty_reason"] == "disks"
    operator.ok("node", "return", NODE)
    would = operator.ok("node", "retire", NODE, "--reason", "sold", "--dry-run", "-o", "json").json
    assert would["life"] == "retired"
    assert operator.ok("node", "show", NODE, "-o", "json").json["life"] == "ready"


def test_guest_without_a_valid_node_stays(operator: Inside, guest: str, tmp_path: Path, live: Live) -> None:
    tenant = inside(tmp_path, live, live.token, ANDROMEDE_PROJECT="demo")
    instance = tenant.ok("instance", "show", guest, "-o", "json").json["id"]
    refused = operator("instance", "migrate", instance, "--reason", "repairs")
    assert refused.code != 0
    assert "placement.no_place" in refused.err
    assert operator.ok("instance", "migrations", instance, "-o", "json").json == []
    plan = operator.ok("instance", "migration-plan", instance, "-o", "json").json
    assert (plan["nodes"], plan["reasons"][0]["code"]) == ([], "placement.no_place")
    off = operator("instance", "cancel-migrate", instance)
    assert "is not being migrated" in off.err


def test_blocked_guest_is_named_before_and_during_the_drain(operator: Inside, guest: str) -> None:
    planned = operator.ok("node", "drain", NODE, "--dry-run")
    assert guest in planned.out
    assert "1 cannot be migrated, and keep running" in planned.err
    refused = operator("node", "drain", NODE)
    assert "It does not end while these guests run there." in refused.err
    stopped = operator("node", "drain", NODE, "--yes", "--timeout", "30")
    assert stopped.code == 5
    assert "Guests remain" in stopped.err
    shown = operator.ok("node", "drain-show", NODE)
    assert guest in shown.out
    assert "is blocked" in shown.err
    assert operator("node", "drain-wait", NODE, "--timeout", "1").code == 5
    paused = _pause_after_retry(operator)
    assert paused["state"] == "paused"
    assert operator.ok("node", "drain-resume", NODE, "-o", "json").json["state"] in ("running", "blocked")
    assert operator.ok("node", "drain-cancel", NODE, "-o", "json").json["state"] == "cancelled"
    assert operator.ok("node", "show", NODE, "-o", "json").json["life"] == "cordoned"
    operator.ok("node", "uncordon", NODE)


def test_plan_counts_guests_that_stay_off(operator: Inside, guest: str, tmp_path: Path, live: Live) -> None:
    tenant = inside(tmp_path, live, live.token, ANDROMEDE_PROJECT="demo")
    plan = ("node", "drain", NODE, "--fallback", "stop", "--dry-run")
    assert "1 are shut down, and started again when the node is returned." in operator.ok(*plan).err
    tenant.ok("instance", "update", guest, "--restart-policy", "never")
    progress = operator.ok(*plan).err
    assert "1 are shut down, and stay off when the node is returned." in progress
    assert "started again when the node is returned" not in progress
    assert "Start it by hand" in progress


def _pause_after_retry(operator: Inside) -> dict[str, object]:
    """Between two looks of the platform it is running again."""
    for _ in range(5):
        operator("node", "drain-retry", NODE, "--fallback", "leave")
        paused = operator("node", "drain-pause", NODE, "-o", "json")
        if paused.code == 0:
            return dict(paused.json)
    raise AssertionError(paused.err)
