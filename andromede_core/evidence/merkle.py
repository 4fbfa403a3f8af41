"""Merkle trees: hashes and proofs of RFC 6962 §2.1, verified as in RFC 9162 §2.1. Standard library only.

A tree of any size is a row of complete subtrees, largest first, and complete subtrees never change. Their hashes alone
are enough to append to the tree, and to prove anything about any of its past sizes, without reading a leaf.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256().digest()


class Subtree(NamedTuple):
    """The complete tree over the leaves from position·2^level up to (position + 1)·2^level."""

    level: int
    position: int


class Range(NamedTuple):
    """Leaves from `start` up to, but without, `end`."""

    start: int
    end: int


Lookup = Callable[[Subtree], bytes]


def hash_leaf(entry: bytes) -> bytes:
    return hashlib.sha256(b"\0" + entry).digest()


def hash_children(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


def complete_subtrees(span: Range) -> list[Subtree]:
    """Return the fewest complete subtrees that make up `span`, from left to right."""
    subtrees = []
    start = span.start
    while start < span.end:
        level = (span.end - start).bit_length() - 1
        if start:
            level = min(level, (start & -start).bit_length() - 1)
        subtrees.append(Subtree(level, start >> level))
        start += 1 << level
    return subtrees


def root(size: int, lookup: Lookup) -> bytes:
    """Return the root hash of the first `size` leaves."""
    return _hash_of(Range(0, size), lookup) if size else EMPTY_ROOT


def extend(size: int, peaks: Sequence[bytes], leaves: Iterable[bytes]) -> Iterator[tuple[Subtree, bytes]]:
    """Return every complete subtree that appending leaves (their hashes) to a tree of `size` creates.

    `peaks` are the hashes of complete_subtrees(Range(0, size)).
    """
    stack = list(peaks)
    for position, leaf in enumerate(leaves, start=size):
        subtree, value = Subtree(0, position), leaf
        yield subtree, value
        while subtree.position & 1:
            subtree = Subtree(subtree.level + 1, subtree.position >> 1)
            value = hash_children(stack.pop(), value)
            yield subtree, value
        stack.append(value)


def inclusion_path(index: int, size: int) -> list[Range]:
    """Return the ranges whose hashes prove, in this order, that leaf `index` is in the tree of `size`."""
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} leaves has no leaf {index}")
    path = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(Range(middle, end))
            end = middle
        else:
            path.append(Range(start, middle))
            start = middle
    return path[::-1]


def consistency_path(old: int, new: int) -> list[Range]:
    """Return the ranges whose hashes prove, in this order, that the tree of size `new` extends that of size `old`."""
    if not 0 <= old <= new:
        raise ValueError(f"a tree of {new} leaves does not begin with one of {old}")
    path = []
    start, end = 0, new
    while old and end != old:
        middle = start + _split(end - start)
        if old <= middle:
            path.append(Range(middle, end))
            end = middle
        else:
            path.append(Range(start, middle))
            start = middle
    if old and start:  # else the verifier knows this hash: it is the old root
        path.append(Range(start, end))
    return path[::-1]


def prove(path: Sequence[Range], lookup: Lookup) -> list[bytes]:
    return [_hash_of(span, lookup) for span in path]


def is_included(leaf: bytes, *, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Check that `proof` shows the leaf hash `leaf` at `index` of the tree with this size and root."""
    if not 0 <= index < size:
        return False
    value, node, last = leaf, index, size - 1
    for sibling in proof:
        if last == 0:
            return False
        if node & 1 or node == last:
            value = hash_children(sibling, value)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            value = hash_children(value, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and value == root


def is_consistent(old: int, new: int, *, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Check that `proof` shows that the tree of size `new` begins with that of size `old`."""
    if not 0 <= old <= new:
        return False
    if old in (0, new):
        return not proof and (old_root == new_root if old else old_root == EMPTY_ROOT)
    hashes = list(proof) if old & (old - 1) else [old_root, *proof]  # a complete old tree is a part of the proof itself
    return bool(hashes) and _climb(old, new, hashes) == (old_root, new_root)


def _climb(old: int, new: int, hashes: Sequence[bytes]) -> tuple[bytes, bytes] | None:
    """Compute the two roots of a consistency proof; None when it has too few or too many hashes."""
    node, last = old - 1, new - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    first = second = hashes[0]
    for value in hashes[1:]:
        if last == 0:
            return None
        if node & 1 or node == last:
            first, second = hash_children(value, first), hash_children(value, second)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            second = hash_children(second, value)
        node, last = node >> 1, last >> 1
    return (first, second) if last == 0 else None


def _hash_of(span: Range, lookup: Lookup) -> bytes:
    *larger, value = (lookup(subtree) for subtree in complete_subtrees(span))
    for left in reversed(larger):
        value = hash_children(left, value)
    return value


def _split(count: int) -> int:
    """Return the largest power of two below `count`."""
    return 1 << ((count - 1).bit_length() - 1)
