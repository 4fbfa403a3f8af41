from typing import Any

from django.apps import AppConfig
from django.db.models import QuerySet


def snapshots() -> QuerySet[Any]:
    """Return the snapshots that exist."""
    from controlplane.storage.models import Snapshot

    return Snapshot.objects.filter(state="available", volume__node__isnull=False)


class StorageConfig(AppConfig):
    name = "controlplane.storage"

    def ready(self) -> None:
        """Register snapshots as copies, which compliance sweeps check."""
        from controlplane.placement.copies import CopySource, copy_sources

        source = CopySource("snapshot", snapshots, node="volume__node")
        if source not in copy_sources:
            copy_sources.append(source)
