"""Names of the keys of volumes: client.v-VOLUME.END, with the end of a node, or of a node and a pool.

The end of a node is the last digits of its id, which are random (UUID version 7, RFC 9562 §5.7). The first ones are a
time: releases that used them gave nodes that were enrolled in one millisecond the same key.
"""

from dataclasses import dataclass
from hashlib import sha256

DIGITS = 12


@dataclass(frozen=True, slots=True)
class KeyEnds:
    """The ends that the names of a node's keys may have, in one pool. `of_node` is the same in all pools. `earlier`: as
    earlier releases named them, in all pools, too.
    """

    of_node: str
    of_pool: str
    earlier: str

    def __contains__(self, end: str) -> bool:
        return end in (self.of_node, self.of_pool, self.earlier)


def key_ends(node: str, *, pool_id: int) -> KeyEnds:
    """Return the ends for the node's id. `pool_id`: Ceph's number of the pool, which a renamed one keeps."""
    digits = node.replace("-", "")
    of_pool = sha256(f"{pool_id}/{digits}".encode()).hexdigest()[:DIGITS]
    return KeyEnds(digits[-DIGITS:], of_pool, digits[:DIGITS])
