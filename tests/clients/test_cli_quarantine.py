"""Orphans on the command line: listed, destroyed after their name was typed, released."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.cli import Inside, inside
from tests.clients.conftest import Live

UNMANAGED_FILE = "volumes/left-behind.raw"
# On a node that no agent serves, so that nobody finds out that there is nothing.
MADE = f"""
from controlplane.kernel import clock
from controlplane.nodes.models import Inventory, Node, Orphan
now = clock.now()
node = Node.objects.create(name="node-q", zone_id="fr-idf-1", address="127.0.0.1:1", certificate_expires_at=now)
Inventory.objects.create(node=node)
print(Orphan.objects.create(node=node, kind="file", name="{UNMANAGED_FILE}", observed_at=now).pk)
"""
GONE = """
from controlplane.nodes.models import Inventory, Node, Orphan
for rows in (Orphan, Inventory):
    rows.objects.filter(node__name="node-q").delete()
Node.objects.filter(name="node-q").delete()
"""


@pytest.fixture
def operator(tmp_path: Path, live: Live) -> Inside:
    return inside(tmp_path, live, live.operator)


@pytest.fixture
def orphan(live: Live) -> Iterator[str]:
    yield live.cloud.stack.manage("shell", "--no-imports", "-v", "0", "-c", MADE).split()[-1]
    live.cloud.stack.manage("shell", "--no-imports", "-v", "0", "-c", GONE)


def test_orphan_is_listed_and_discarded_by_its_name(operator: Inside, orphan: str) -> None:
    (found,) = operator.ok("node", "quarantine", "list", "--node", "node-q", "--open", "true", "-o", "json").json
    assert (found["id"], found["name"], found["state"]) == (orphan, UNMANAGED_FILE, "found")
    assert operator.ok("node", "quarantine", "show", orphan, "-o", "json").json["name"] == UNMANAGED_FILE
    discard = ("node", "quarantine", "discard", orphan, "--reason", "left behind")
    would = operator.ok("node", "quarantine", "discard", orphan, "--reason", "x", "--dry-run", "-o", "json").json
    assert would["wished"] == "discard"
    refused = operator(*discard)
    assert "Standard input is not a terminal" in refused.err
    assert "orphan.name_differs" in operator(*discard, "--name", "volumes/another").err
    assert operator.ok(*discard, "--name", UNMANAGED_FILE, "-o", "json").json["wished"] == "discard"
    released = operator.ok("node", "quarantine", "release", orphan, "--reason", "wait", "-o", "json").json
    assert released["wished"] == "release"
