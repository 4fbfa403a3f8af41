"""Merkle trees for tests."""

from collections.abc import Sequence

from andromede_core.evidence import merkle
from andromede_core.evidence.merkle import Range, Subtree


class Tree:
    """A tree in the database's form: the complete subtrees."""

    def __init__(self, leaves: Sequence[bytes] = ()) -> None:
        self.size = 0
        self.nodes: dict[Subtree, bytes] = {}
        self.append(leaves)

    def append(self, leaves: Sequence[bytes]) -> None:
        peaks = [self.nodes[each] for each in merkle.complete_subtrees(Range(0, self.size))]
        self.nodes.update(merkle.extend(self.size, peaks, leaves))
        self.size += len(leaves)

    def root(self, size: int) -> bytes:
        return merkle.root(size, self.nodes.__getitem__)

    def inclusion(self, index: int, size: int) -> list[bytes]:
        return merkle.prove(merkle.inclusion_path(index, size), self.nodes.__getitem__)

    def consistency(self, old: int, new: int) -> list[bytes]:
        return merkle.prove(merkle.consistency_path(old, new), self.nodes.__getitem__)


def leaves(count: int) -> list[bytes]:
    return [merkle.hash_leaf(bytes([number])) for number in range(count)]
