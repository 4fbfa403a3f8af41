"""Signed documents of the zone in the agent's state store: of each network or group the newest one counts.

It is stored also after what needed it has left the node, so that an older one is never accepted again. After a return
to an earlier release, a newer agent may have stored some with fields that this one does not know. Nothing of such a
document holds but its version: what needs it is closed until a newer document comes.
"""

from functools import lru_cache

from agents.node.context import Node
from agents.node.specs import StoredDocument
from agents.node.state_store import Table
from agents.node.trust.store import TrustStore
from andromede_core.documents import signed
from andromede_core.documents.parsing import as_count
from andromede_core.permits.trust_documents import MAX_VERSION


def record_newer(node: Node, table: Table[StoredDocument], key: str, *, kind: str, document: bytes) -> int:
    """Store the verified document of a node's network, group or instance; see keep_newer."""
    version = keep_newer(node.permits.store, table, key, kind=kind, document=document)
    kept = table.get(key)
    if kept is not None and kept.spec.document == document:
        node.unreadable.discard((kind, key))
    return version


def keep_newer(trust: TrustStore, table: Table[StoredDocument], key: str, *, kind: str, document: bytes) -> int:
    """Store the verified document unless the stored one is as new, and signed by a key that the root has not removed.

    Returns the version of the one that counts.
    """
    entry, version = table.get(key), stored_version(document)
    if entry is not None and not trust.is_of_lost_key(kind, entry.spec.document):
        kept = stored_version(entry.spec.document)
        if kept >= version:
            return kept
    table.record(key, StoredDocument(document))
    return version


@lru_cache(maxsize=512)
def stored_version(document: bytes) -> int:
    """Return the version of a document that was verified on arrival, by this agent or a newer one."""
    return as_count(signed.read(document).payload.get("version"), "version", minimum=0, maximum=MAX_VERSION)
