"""The recovery of a dead node on the command line."""

import json
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.clients.cli import Inside, inside
from tests.clients.conftest import Live

NODE = "node-b"


@pytest.fixture
def operator(tmp_path: Path, live: Live) -> Inside:
    return inside(tmp_path, live, live.operator)


@pytest.fixture
def fenced(live: Live, operator: Inside) -> Iterator[str]:
    """Store fence evidence directly: the node is reachable, so that no evidence would be accepted."""
    proof = json.dumps({"kind": "attestation"})
    with psycopg.connect(
        host=str(live.cloud.stack.var / "run"), user="andromede", dbname="andromede", autocommit=True
    ) as database:
        database.execute("UPDATE nodes_node SET duty = 'fenced', fenced_by = %s WHERE name = %s", [proof, NODE])
    yield NODE
    operator.ok("node", "maintenance", NODE, "--reason", "looked at")
    operator.ok("node", "return", NODE)


def test_a_node_that_is_not_fenced_is_not_recovered(operator: Inside) -> None:
    refused = operator("node", "recover", NODE, "--plan")
    assert refused.code != 0
    assert "node.wrong_duty" in refused.err


def test_plan_is_shown_before_the_recovery(operator: Inside, fenced: str) -> None:
    assert "The node had no guests." in operator.ok("node", "recover", fenced, "--plan").err
    plan = operator.ok("node", "recover", fenced, "--plan", "-o", "json").json
    assert (plan["counts"], plan["guests"]) == ({}, [])
    asked = operator("node", "recover", fenced)
    assert "Recover node-b?" in asked.err
    ended = operator.ok("node", "recover", fenced, "--yes", "--reason", "its mainboard is dead", "-o", "json").json
    assert (ended["kind"], ended["state"], ended["reason"]) == ("recover", "done", "its mainboard is dead")
    assert operator.ok("node", "show", fenced, "-o", "json").json["life"] == "fenced"
