"""Stored documents of the zone that this agent cannot read, since a newer agent has stored them.

They are found at the start of the agent. Each one closes what needs it (zone_documents.py), until a newer document that
this agent can read replaces it.
"""

import logging
from collections.abc import Callable, Iterator

from agents.node.context import Node
from agents.node.services import security_groups
from agents.node.specs import StoredDocument
from agents.node.state_store import Table
from andromede_core.documents import signed
from andromede_core.documents.parsing import Malformed
from andromede_core.permits import instance_metadata, network_ports, security_group, segment

log = logging.getLogger(__name__)

NAMED = 5  # in the text of the problem


def find(node: Node) -> None:
    """Find the stored documents that this agent cannot read."""
    for kind, key, problem in _unreadable(node):
        node.unreadable.add((kind, key))
        facts = {"kind": kind, "id": key, "problem": problem}
        log.error("stored document cannot be read", extra={"facts": facts})


def problem(node: Node) -> str:
    """Return the problem of the documents that something here needs, for an operator; empty: there is none."""
    if not node.unreadable:
        return ""
    networks = {str(entry.spec.network.id) for entry in node.state_store.ports.held() if entry.is_wanted}
    needed = {
        segment.KIND: networks,
        network_ports.KIND: networks,
        security_group.KIND: security_groups.needed_groups(node),
        instance_metadata.KIND: {entry.id for entry in node.state_store.instances.held() if entry.is_wanted},
    }
    found = [f"{kind} {key}" for kind, key in sorted(node.unreadable) if key in needed[kind]]
    if not found:
        return ""
    return (
        f"{len(found)} stored documents of a newer agent cannot be read, and what needs them is closed until newer ones"
        f" come: {', '.join(found[:NAMED])}."
    )


def _unreadable(node: Node) -> Iterator[tuple[str, str, str]]:
    store = node.state_store
    tables: tuple[tuple[str, Table[StoredDocument], Callable[[object], object]], ...] = (
        (segment.KIND, store.segments, segment.parse),
        (network_ports.KIND, store.port_lists, network_ports.parse),
        (security_group.KIND, store.security_groups, security_group.parse),
        (instance_metadata.KIND, store.metadata, instance_metadata.parse),
    )
    for kind, table, parse in tables:
        for entry in table.held():
            try:
                parse(signed.read(entry.spec.document).payload)
            except Malformed as exc:
                yield kind, entry.id, str(exc)
