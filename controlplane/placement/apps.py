from collections.abc import Collection, Iterable
from uuid import UUID

from django.apps import AppConfig


def places(resource_ids: Collection[UUID]) -> Iterable[tuple[str, UUID]]:
    """The zones and nodes of those that have a place."""
    from controlplane.placement.models import Allocation

    found = Allocation.objects.filter(consumer_id__in=resource_ids)
    return found.values_list("node__zone_id", "node_id")


class PlacementConfig(AppConfig):
    name = "controlplane.placement"

    def ready(self) -> None:
        """Rules of maintenance can be about what is in a zone or on a node."""
        from controlplane.operations import maintenance

        if places not in maintenance.location_sources:
            maintenance.location_sources.append(places)
