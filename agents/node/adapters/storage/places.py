"""Places of volumes, as plain values: the state store keeps them."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class RbdSource:
    """An RBD image, and the client with which this node opens it.

    `monitors`: HOST:PORT, an IPv6 address in brackets. `client`: without the prefix "client."; its key is in no value
    that is stored: see keys.py. The volume is the same where they change: it may be opened anew at its generation, as
    at a start, and an opening by a move has a client of another name.
    """

    pool: str
    image: str
    monitors: tuple[str, ...] = field(compare=False)
    client: str = field(compare=False)


@dataclass(frozen=True, slots=True)
class Place:
    """Place of a volume. `pool`: the name of its pool; empty: the node's own folder. `rbd`: if that is a Ceph pool."""

    pool: str = ""
    rbd: RbdSource | None = None


OWN_FOLDER = Place()
