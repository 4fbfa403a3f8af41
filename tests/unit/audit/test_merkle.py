"""The tree of RFC 6962: the known answers of its reference implementation, and every proof of every small tree."""

import hashlib
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from andromede_core.evidence import merkle
from tests.unit.audit.trees import Tree, leaves

# The entries with which Certificate Transparency's implementations test themselves, and the root after each.
ENTRIES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
PROOF_OF_FIRST = [
    "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
    "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
    "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
]


def by_the_book(hashes: Sequence[bytes]) -> bytes:
    """The definition of RFC 6962 §2.1, word for word."""
    if not hashes:
        return hashlib.sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    k = max(2**power for power in range(10) if 2**power < len(hashes))
    return hashlib.sha256(b"\1" + by_the_book(hashes[:k]) + by_the_book(hashes[k:])).digest()


LARGEST = 66
LEAVES = leaves(LARGEST)
TREE = Tree(LEAVES)
sizes = st.integers(1, LARGEST)


def test_roots_of_the_reference_tree_agree() -> None:
    tree = Tree([merkle.hash_leaf(entry) for entry in ENTRIES])
    assert [tree.root(size).hex() for size in range(1, 9)] == ROOTS
    assert tree.root(0).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_proofs_of_the_reference_tree_agree() -> None:
    tree = Tree([merkle.hash_leaf(entry) for entry in ENTRIES])
    assert [value.hex() for value in tree.inclusion(0, 8)] == PROOF_OF_FIRST
    assert tree.inclusion(0, 1) == []
    assert [value.hex() for value in tree.consistency(1, 8)] == PROOF_OF_FIRST
    assert [value.hex() for value in tree.consistency(6, 8)] == [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]


def test_roots_agree_with_the_definition() -> None:
    assert all(TREE.root(size) == by_the_book(leaves(size)) for size in range(LARGEST + 1))


def test_tree_does_not_depend_on_the_portions() -> None:
    tree = Tree()
    cuts = [0, 1, 1, 4, 9, 10, 33, 64, LARGEST]
    for start, end in pairwise(cuts):
        tree.append(leaves(LARGEST)[start:end])
    assert tree.nodes == TREE.nodes


def test_every_inclusion_proof_holds_for_its_leaf_and_place_alone() -> None:
    for size in range(1, LARGEST + 1):
        for index in range(size):
            proof = TREE.inclusion(index, size)
            positions = [
                position
                for position in range(size + 2)
                if merkle.is_included(LEAVES[index], index=position, size=size, proof=proof, root=TREE.root(size))
            ]
            assert positions == [index]


def test_every_consistency_proof_holds() -> None:
    for new in range(LARGEST + 1):
        for old in range(new + 1):
            proof = TREE.consistency(old, new)
            assert merkle.is_consistent(old, new, old_root=TREE.root(old), new_root=TREE.root(new), proof=proof)


@given(sizes, st.data())
def test_an_inclusion_proof_with_one_byte_changed_fails(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    parts = [LEAVES[index], TREE.root(size), *TREE.inclusion(index, size)]
    leaf, root, *proof = changed(parts, data)
    assert not merkle.is_included(leaf, index=index, size=size, proof=proof, root=root)


@given(sizes, st.data())
def test_a_consistency_proof_with_one_byte_changed_fails(new: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, new))
    parts = [TREE.root(old), TREE.root(new), *TREE.consistency(old, new)]
    old_root, new_root, *proof = changed(parts, data)
    assert not merkle.is_consistent(old, new, old_root=old_root, new_root=new_root, proof=proof)


@given(sizes, st.data())
def test_a_proof_too_short_or_too_long_fails(new: int, data: st.DataObject) -> None:
    old, index = data.draw(st.integers(1, new)), data.draw(st.integers(0, new - 1))
    inclusion, consistency = TREE.inclusion(index, new), TREE.consistency(old, new)
    for wrong in ([*inclusion, merkle.EMPTY_ROOT], *([inclusion[:-1]] if inclusion else [])):
        leaf = LEAVES[index]
        assert not merkle.is_included(leaf, index=index, size=new, proof=wrong, root=TREE.root(new))
    for wrong in ([*consistency, merkle.EMPTY_ROOT], *([consistency[:-1]] if consistency else [])):
        roots = {"old_root": TREE.root(old), "new_root": TREE.root(new)}
        assert not merkle.is_consistent(old, new, proof=wrong, **roots)


@given(sizes, st.data())
def test_consistency_proof_of_a_fork_fails(new: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, new))
    fork = leaves(LARGEST)
    fork[data.draw(st.integers(0, old - 1))] = merkle.hash_leaf(b"another")
    other = Tree(fork)
    for proof in (TREE.consistency(old, new), other.consistency(old, new)):
        assert not merkle.is_consistent(old, new, old_root=TREE.root(old), new_root=other.root(new), proof=proof)


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0)])
def test_leaf_outside_the_tree_has_no_proof(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="no leaf"):
        merkle.inclusion_path(index, size)
    assert not merkle.is_included(merkle.EMPTY_ROOT, index=index, size=size, proof=[], root=merkle.EMPTY_ROOT)


@pytest.mark.parametrize(("old", "new"), [(-1, 3), (4, 3)])
def test_consistency_proof_from_a_larger_tree_is_refused(old: int, new: int) -> None:
    with pytest.raises(ValueError, match="does not begin"):
        merkle.consistency_path(old, new)
    root = TREE.root(3)
    assert not merkle.is_consistent(old, new, old_root=root, new_root=root, proof=[])


def test_the_empty_tree_begins_every_tree_and_needs_no_proof() -> None:
    assert merkle.is_consistent(0, 5, old_root=merkle.EMPTY_ROOT, new_root=TREE.root(5), proof=[])
    assert not merkle.is_consistent(0, 5, old_root=TREE.root(5), new_root=TREE.root(5), proof=[])


def changed(parts: list[bytes], data: st.DataObject) -> list[bytes]:
    """One bit of one of them flipped."""
    part = data.draw(st.integers(0, len(parts) - 1))
    byte, bit = data.draw(st.integers(0, 31)), data.draw(st.integers(0, 7))
    raw = bytearray(parts[part])
    raw[byte] ^= 1 << bit
    return [*parts[:part], bytes(raw), *parts[part + 1 :]]
