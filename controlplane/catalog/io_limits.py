"""Limits of disks, as they follow from a volume type and a size."""

from dataclasses import dataclass

from controlplane.catalog.models import VolumeType

IO_LIMITS = "io-limits"  # trait of nodes whose agent limits disks
MB = 10**6


@dataclass(frozen=True)
class IoLimits:
    """Limits of reads and writes together, each per second. 0: no limit."""

    iops: int = 0
    mb_per_s: int = 0

    def __bool__(self) -> bool:
        return bool(self.iops or self.mb_per_s)

    @property
    def bytes_per_s(self) -> int:
        return self.mb_per_s * MB

    @property
    def traits(self) -> frozenset[str]:
        """Return the traits that a node needs, so that the limits hold there."""
        return frozenset({IO_LIMITS} if self else ())


def io_limits(volume_type: VolumeType | None, size_gib: int) -> IoLimits:
    """Return the limits of a disk: the fixed ones, or those by size where these are larger."""
    if volume_type is None:
        return IoLimits()
    return IoLimits(
        iops=max(volume_type.iops, volume_type.iops_per_gib * size_gib),
        mb_per_s=max(volume_type.mb_per_s, volume_type.mb_per_s_per_gib * size_gib),
    )
