"""Names of the keys of volumes: client.v-VOLUME.END, with the end of a node, or of a node and a pool."""

from dataclasses import dataclass
from hashlib import sha256

DIGITS = 12


@dataclass(frozen=True, slots=True)
class KeyEnds:
    """The ends that the names of a node's keys may have, in one pool. `of_node` is the same in all pools."""

    of_node: str
    of_pool: str

    def __contains__(self, end: str) -> bool:
        return end in (self.of_node, self.of_pool)


def key_ends(node: str, *, pool_id: int) -> KeyEnds:
    """Return the ends for the node's id. `pool_id`: Ceph's number of the pool, which a renamed one keeps."""
    digits = node.replace("-", "")
    return KeyEnds(digits[:DIGITS], sha256(f"{pool_id}/{digits}".encode()).hexdigest()[:DIGITS])
