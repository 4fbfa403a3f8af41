"""Convert messages to values that may be used in names and commands of Ceph."""

from collections.abc import Sequence
from ipaddress import ip_address

from agents.node.errors import BadRequest
from agents.node.rpc.decoding import identifier, within
from agents.protocol import storage_pb2 as pb

MAX_ADDRESSES = 32
MAX_FENCE_S = 30 * 24 * 3600
MAX_NAME = 200


def volume_id(text: str) -> str:
    return str(identifier("volume_id", text))


def snapshot_id(text: str) -> str:
    return str(identifier("snapshot_id", text))


def source(message: pb.SnapshotSource, served: Sequence[str]) -> dict[str, str]:
    """Return the snapshot that a volume is made from, as the worker takes it."""
    return {
        "pool": pool(message.pool, served, field="snapshot.pool"),
        "volume": str(identifier("snapshot.volume_id", message.volume_id)),
        "snapshot": str(identifier("snapshot.snapshot_id", message.snapshot_id)),
    }


def node_id(text: str) -> str:
    return str(identifier("node_id", text))


def pool(name: str, served: Sequence[str], *, field: str = "pool") -> str:
    if name not in served:
        raise BadRequest(field, f"is none that this storage agent was started for ({', '.join(served)})")
    return name


def name_after(text: str) -> str:
    if len(text) > MAX_NAME:
        raise BadRequest("after", f"has more than {MAX_NAME} characters")
    return text


def addresses(texts: Sequence[str]) -> list[str]:
    if not 0 < len(texts) <= MAX_ADDRESSES:
        raise BadRequest("addresses", f"must be 1 to {MAX_ADDRESSES}")
    try:
        parsed = [ip_address(text) for text in texts]
    except ValueError:
        raise BadRequest("addresses", "must be IPv4 or IPv6 addresses, without a prefix or a port") from None
    if any(each.is_unspecified for each in parsed):
        raise BadRequest("addresses", "must be those of one machine")
    return [str(each) for each in parsed]


def fence_seconds(value: int) -> int:
    return within("seconds", value, 1, MAX_FENCE_S)
