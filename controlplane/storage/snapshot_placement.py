"""Placement of snapshots: in the pool of their volume, without an allocation of their own."""

from controlplane.placement.decisions import PlacementRequest
from controlplane.placement.effective_policies import DataSource
from controlplane.storage.models import Snapshot


def snapshot_placement_request(snapshot: Snapshot, *, operation: str) -> PlacementRequest:
    """Return the placement request for a snapshot, which takes no space besides that of its volume."""
    return PlacementRequest(
        operation=operation,
        project=snapshot.project,
        consumer_id=snapshot.pk,
        kind="snapshot",
        copy_of=snapshot.volume_id,
        sources=(DataSource(snapshot.volume_id, snapshot.project),),
    )
