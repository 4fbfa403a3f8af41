"""Roots and proofs from the stored subtrees. A proof reads some dozens of rows, however large the log is."""

from collections.abc import Iterable, Sequence

from django.db import connection
from django.db.models import Max

from andromede_core.evidence import merkle
from andromede_core.evidence.merkle import Range, Subtree
from andromede_core.evidence.records import Entry
from controlplane.audit.errors import NotSequenced
from controlplane.audit.models import Checkpoint, EvidenceRecord, MerkleNode

NODES = """
SELECT node.level, node.position, node.hash FROM unnest(%s::int[], %s::bigint[]) AS wanted (level, position)
JOIN audit_merklenode AS node ON node.level = wanted.level AND node.position = wanted.position
"""


def tree_size() -> int:
    last: int | None = MerkleNode.objects.filter(level=0).aggregate(last=Max("position"))["last"]
    return 0 if last is None else last + 1


def root(size: int) -> bytes:
    """Return the root of the tree with `size` leaves; the tree must have reached that size."""
    return merkle.root(size, nodes(merkle.complete_subtrees(Range(0, size))).__getitem__)


def peaks(size: int) -> list[bytes]:
    """Return the hashes of the complete subtrees that the tree of `size` consists of, largest first."""
    subtrees = merkle.complete_subtrees(Range(0, size))
    hashes = nodes(subtrees)
    return [hashes[subtree] for subtree in subtrees]


def inclusion(record: EvidenceRecord, at: Checkpoint) -> list[bytes]:
    """Return the inclusion proof. Raises NotSequenced: the checkpoint is older than the record's position."""
    if record.leaf_index is None or record.leaf_index >= at.tree_size:
        raise NotSequenced
    return inclusions([record.leaf_index], at.tree_size)[0]


def entry_of(record: EvidenceRecord) -> Entry:
    """Return the entry that the record's leaf is the hash of. Raises NotSequenced."""
    if record.stream_seq is None:
        raise NotSequenced
    before = EvidenceRecord.objects.filter(stream=record.stream, stream_seq=record.stream_seq - 1)
    prev = before.values_list("leaf_hash", flat=True).first() or b""
    return Entry(record.stream, record.stream_seq, bytes(prev), bytes(record.content_hash))


def inclusions(indexes: Sequence[int], size: int) -> list[list[bytes]]:
    """Return a proof for each of the leaves, with one query for all."""
    return _prove([merkle.inclusion_path(index, size) for index in indexes])


def consistency(old: int, new: int) -> list[bytes]:
    """Return the proof that the tree of size `new` extends that of size `old`; the tree must have reached both."""
    return _prove([merkle.consistency_path(old, new)])[0]


def nodes(subtrees: Iterable[Subtree]) -> dict[Subtree, bytes]:
    unique = sorted(set(subtrees))
    with connection.cursor() as cursor:
        cursor.execute(NODES, [[each.level for each in unique], [each.position for each in unique]])
        return {Subtree(level, position): bytes(value) for level, position, value in cursor.fetchall()}


def _prove(paths: Sequence[Sequence[Range]]) -> list[list[bytes]]:
    subtrees = (subtree for path in paths for span in path for subtree in merkle.complete_subtrees(span))
    hashes = nodes(subtrees)
    return [merkle.prove(path, hashes.__getitem__) for path in paths]
