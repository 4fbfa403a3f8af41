"""Places of volumes, as plain values: the state store keeps them."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class RbdSource:
    """An RBD image, and the client with which this node opens it.

    `monitors`: HOST:PORT, an IPv6 address in brackets; the volume is the same where they change. `client`: without the
    prefix "client.". Its key is in no value that is stored: see keys.py.
    """

    pool: str
    image: str
    monitors: tuple[str, ...] = field(compare=False)
    client: str


@dataclass(frozen=True, slots=True)
class Place:
    """Place of a volume. `pool`: the name of its pool; empty: the node's own folder. `rbd`: if that is a Ceph pool."""

    pool: str = ""
    rbd: RbdSource | None = None


OWN_FOLDER = Place()
