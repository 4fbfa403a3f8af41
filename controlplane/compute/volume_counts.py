"""Limit of the volumes that an instance has beside its root disk."""

from collections.abc import Iterator

from controlplane.catalog.models import Flavor
from controlplane.compute.errors import TooManyVolumes
from controlplane.compute.models import Instance
from controlplane.operations.models import Operation

RESIZE = "instance.resize"


def check_volume_count(count: int, size: Flavor | Instance, *, field: str) -> None:
    """Raise TooManyVolumes if an instance of this size can have no `count` volumes."""
    if count > size.max_volumes:
        flavor = size.pk if isinstance(size, Flavor) else size.flavor
        raise TooManyVolumes(field=field, limit=size.max_volumes, flavor=flavor)


def coming_flavors(instance: Instance) -> Iterator[Flavor]:
    """Return the flavor that a resize under way gives the instance, with the limit that was requested.

    The instance is locked (instance_lock), as it is when a resize counts its volumes.
    """
    for operation in Operation.objects.filter(kind=RESIZE, resourcelock__resource_id=instance.pk):
        to = operation.args["to"]
        yield Flavor(pk=to["flavor"], max_volumes=to.get("max_volumes", instance.max_volumes))
