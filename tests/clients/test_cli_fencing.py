"""Fencing on the command line: what is at hand, a BMC whose password is asked for, and what is refused."""

from pathlib import Path

import pytest

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
