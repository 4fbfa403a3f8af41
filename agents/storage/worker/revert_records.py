"""Records of reverts: the last one of each volume. That it begins is written before the first byte is copied."""

from dataclasses import asdict, dataclass

from agents.storage.errors import RevertUnfinished
from agents.storage.worker import records
from agents.storage.worker.cluster import Cluster

RECORDS = "reverts"  # an object of the pool: volume → its last revert


@dataclass(frozen=True, slots=True)
class Revert:
    """A revert of a volume, asked for in this generation of it. `size_bytes`: of the volume afterwards.

    `snapshot` empty: none began, and none of this generation or an earlier one begins any more.
    """

    generation: int
    snapshot: str
    size_bytes: int = 0
    is_finished: bool = True


def last(cluster: Cluster, volume: str, *, pool: str) -> Revert | None:
    found = records.read(cluster, pool, RECORDS, prefix=volume, limit=1).get(volume)
    return None if found is None else Revert(**found)


def unfinished(cluster: Cluster, *, pool: str) -> dict[str, Revert]:
    """Return the reverts of the pool's volumes that have begun and not ended."""
    found = {volume: Revert(**each) for volume, each in records.read_all(cluster, pool, RECORDS).items()}
    return {volume: each for volume, each in found.items() if not each.is_finished}


def write(cluster: Cluster, volume: str, revert: Revert, *, pool: str) -> None:
    records.write(cluster, pool, RECORDS, volume, asdict(revert))


def forget(cluster: Cluster, *, volume: str, pool: str) -> None:
    records.remove(cluster, pool, RECORDS, volume)


def require_finished(cluster: Cluster, volume: str, *, pool: str, to: str = "") -> None:
    """Raise RevertUnfinished while the volume may have parts of two contents. `to`: of this snapshot."""
    found = last(cluster, volume, pool=pool)
    if found is not None and not found.is_finished and to in ("", found.snapshot):
        raise RevertUnfinished(f"The revert of volume {volume} to snapshot {found.snapshot} has begun and not ended.")
