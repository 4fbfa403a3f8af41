from collections.abc import Collection, Iterable
from uuid import UUID

from django.apps import AppConfig


def places(resource_ids: Collection[UUID]) -> Iterable[tuple[str, UUID]]:
    """Return the zones and nodes of the consumers that have an allocation."""
    from controlplane.placement.models import Allocation

    allocations = Allocation.objects.filter(consumer_id__in=resource_ids)
    return allocations.values_list("node__zone_id", "node_id")


class PlacementConfig(AppConfig):
    name = "controlplane.placement"

    def ready(self) -> None:
        """Register placement with the maintenance rules, which can be about a zone or a node."""
        from controlplane.operations import maintenance

        if places not in maintenance.location_sources:
            maintenance.location_sources.append(places)
