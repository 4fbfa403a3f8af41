"""Fencing on the command line: what is at hand, a BMC whose password is asked for, and what is refused."""

import json
from pathlib import Path

import pytest

from andromede_cli.commands import fencing
from andromede_cli.session import Session
from andromede_sdk import Scope, models
from controlplane.node_lifecycle.fencing.storage_fences import PROBLEMS
from scripts.control_plane import ROOT
from tests.clients.cli import Inside, inside
from tests.clients.conftest import Live

NODE = "node-b"


@pytest.fixture
def operator(tmp_path: Path, live: Live) -> Inside:
    return inside(tmp_path, live, live.operator)


def test_reachable_node_is_not_fenced(operator: Inside) -> None:
    document = operator.ok("node", "fencing", NODE, "-o", "json").json
    assert [(each["kind"], each["counts"]) for each in document["at_hand"]] == [
        ("power", False),
        ("lease", False),
        ("attestation", False),
    ]
    shown = operator.ok("node", "fencing", NODE)
    assert "it is reachable" in shown.out
    assert f"refuse these addresses when the node is fenced: {document['storage_addresses'][0]}" in shown.err
    asked = operator("node", "fence", NODE, "--evidence", "lease", "--reason", "lost")
    assert "run twice" in asked.err
    refused = operator("node", "fence", NODE, "--evidence", "lease", "--reason", "lost", "--yes")
    assert "node.not_fenceable" in refused.err
    assert operator("operation", "show", "01890000-0000-7000-8000-000000000000", "--platform").code == 3
    word = operator("node", "fence", NODE, "--evidence", "attestation", "--reason", "unplugged", "--yes")
    assert "andromede login --email" in word.err


def test_bmc_password_is_read_and_never_printed(operator: Inside) -> None:
    how = ("--address", "10.99.0.11", "--username", "fencer", "--certificate-sha256", "5e" * 32)
    refused = operator("node", "bmc-set", NODE, *how, stdin="a very secret one\n")
    assert "in none of the management networks" in refused.err, "the platform of the tests has none"
    assert "a very secret one" not in refused.out + refused.err
    assert "node.bmc_unknown" in operator("node", "bmc-show", NODE).err
    operator.ok("node", "bmc-forget", NODE, "--yes")


@pytest.mark.parametrize("problem", PROBLEMS)
def test_fences_in_storage_clusters_are_listed(problem: str, capsys: pytest.CaptureFixture[str]) -> None:
    examples = json.loads((ROOT / "docs/reference/examples/nodes.json").read_text())
    fence = {
        "storage_cluster": {"id": "019adc33-cf7b-7a3a-8b5d-603b02fea192", "name": "ceph-1"},
        "addresses": ["198.51.100.7"],
        "fenced_at": "2026-12-01T08:00:00Z",
        "expires_at": "2026-12-31T08:00:00Z",
        "problem": problem,
    }
    document = examples["node_fencing_get"]["answer"]["body"] | {"storage": [fence]}
    fencing.show_storage(Session(), models.Fencing.read(document, Scope(None)))  # type: ignore[arg-type]
    shown = capsys.readouterr()
    assert "ceph-1" in shown.out and "198.51.100.7" in shown.out
    assert ("ceph-1: " in shown.err) is bool(problem) and f"ceph-1: {problem}\n" not in shown.err
