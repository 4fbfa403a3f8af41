"""Limit of the volumes that an instance has beside its root disk."""

from controlplane.catalog.models import Flavor
from controlplane.compute.errors import TooManyVolumes
from controlplane.compute.models import Instance


def check_volume_count(count: int, size: Flavor | Instance, *, field: str) -> None:
    """Raise TooManyVolumes if an instance of this size can have no `count` volumes."""
    if count > size.max_volumes:
        flavor = size.pk if isinstance(size, Flavor) else size.flavor
        raise TooManyVolumes(field=field, limit=size.max_volumes, flavor=flavor)
