"""Signed documents of the zone in the agent's state store: of each network or group the newest one counts.

It is stored also after what needed it has left the node, so that an older one is never accepted again.
"""

from collections.abc import Callable
from typing import Protocol, TypeVar

from agents.node.context import Node
from agents.node.specs import StoredDocument
from agents.node.state_store import Table
from agents.node.trust.store import TrustStore


class Versioned(Protocol):
    @property
    def version(self) -> int: ...


V = TypeVar("V", bound=Versioned)


def record_newer(
    node: Node,
    table: Table[StoredDocument],
    key: str,
    *,
    kind: str,
    document: bytes,
    read: Callable[[bytes], V],
) -> V:
    """Store the verified document of a node's network or group; see keep_newer."""
    return keep_newer(node.permits.store, table, key, kind=kind, document=document, read=read)


def keep_newer(
    trust: TrustStore,
    table: Table[StoredDocument],
    key: str,
    *,
    kind: str,
    document: bytes,
    read: Callable[[bytes], V],
) -> V:
    """Store the verified document unless the stored one is as new, and signed by a key that the root has not removed.

    Returns the one that counts. `read`: parses a document of this kind that was verified on arrival.
    """
    entry, parsed = table.get(key), read(document)
    if entry is not None:
        stored = entry.spec.document
        is_lost, stored_document = trust.is_of_lost_key(kind, stored), read(stored)
        if not is_lost and stored_document.version >= parsed.version:
            return stored_document
    table.record(key, StoredDocument(document))
    return parsed
