"""Generations of volumes: the newest one that each volume of a pool was made or opened for, until it is removed.

It is recorded before the volume is made: a removal that is late, and meant the volume before it, is refused.
"""

from agents.storage.errors import GenerationStale
from agents.storage.worker import records
from agents.storage.worker.cluster import Cluster

RECORDS = "generations"  # an object of the pool: volume → generation


def raise_to(cluster: Cluster, volume: str, *, pool: str, generation: int) -> None:
    """Record the generation unless a newer one is recorded, as by a call that overtook this one."""
    if generation > _newest(cluster, volume, pool=pool):
        records.write(cluster, pool, RECORDS, volume, generation)


def require_newest(cluster: Cluster, volume: str, *, pool: str, generation: int) -> None:
    """Raise GenerationStale if a newer generation is recorded. `generation` 0: none is demanded."""
    newest = _newest(cluster, volume, pool=pool)
    if 0 < generation < newest:
        raise GenerationStale(
            f"Volume {volume} was made or opened for its generation {newest}; the call is for generation {generation}."
        )


def forget(cluster: Cluster, volume: str, *, pool: str) -> None:
    records.remove(cluster, pool, RECORDS, volume)


def _newest(cluster: Cluster, volume: str, *, pool: str) -> int:
    return int(records.read(cluster, pool, RECORDS, prefix=volume, limit=1).get(volume, 0))
