"""Routes of snapshots. The revert of a volume to one is in api/v1/volumes."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.api.base_views import ProjectView
from controlplane.api.v1.operations.schemas import add_operation, with_operation
from controlplane.api.v1.snapshots.schemas import (
    InstanceSnapshotIn,
    InstanceSnapshotsOut,
    SnapshotActionOut,
    SnapshotIn,
    SnapshotOut,
    SnapshotPatch,
    SnapshotWithActionsOut,
)
from controlplane.compute import representations
from controlplane.compute.instance_snapshots import NewSnapshots, instance_snapshot, volume_snapshot
from controlplane.compute.selectors import instance_get
from controlplane.compute.volume_actions import snapshot_actions
from controlplane.kernel.fields import merge_labels
from controlplane.kernel.listing import Listing, created_after, exactly, identified, in_state, labelled, referring
from controlplane.kernel.views import Body, created, is_deleted, route
from controlplane.operations.models import Operation
from controlplane.storage import snapshots as services
from controlplane.storage.models import SNAPSHOT, Snapshot
from controlplane.storage.selectors import snapshot_get, snapshots, volume_get

SNAPSHOTS = Listing(
    {
        "name": exactly("name", "The snapshot of this name."),
        "state": in_state(SNAPSHOT),
        "volume": referring("volume", "The snapshots of this volume, by id or name."),
        "group": identified("group", "The snapshots that were taken of an instance together: their `group`."),
        "instance": identified("instance_id", "The snapshots that were taken of the instance with this id."),
        "zone": exactly("pool__zone_id", "The snapshots in this zone."),
        "created_after": created_after(),
        "labels": labelled(),
    }
)
SnapshotWithOperation = with_operation(SnapshotOut)
InstanceSnapshotsWithOperation = with_operation(InstanceSnapshotsOut)


class SnapshotList(ProjectView):
    @route("snapshot_list", SnapshotOut, listing=SNAPSHOTS)
    def get(self, request: Request) -> Response:
        page = SNAPSHOTS.page(request, snapshots(self.actor, self.project))
        return page.answer(SnapshotOut, context=representations.snapshot_details(page.rows))

    @route("snapshot_create", SnapshotWithOperation, body=SnapshotIn, status=201)
    def post(self, request: Request, body: Body) -> Response:
        volume = self.named(volume_get, body["volume"], at="volume")
        new = services.NewSnapshot(
            name=body["name"],
            labels=body["labels"],
            expires_at=body.get("expires_at"),
            consistency=body["consistency"],
        )
        snapshot, operation = volume_snapshot(self.actor, volume, new)
        return created(snapshot_document(snapshot, operation), request=request)


class SnapshotDetail(ProjectView):
    def snapshot(self) -> Snapshot:
        return snapshot_get(self.actor, self.project, self.kwargs["snapshot"])

    def versioned(self) -> Snapshot:
        return self.snapshot()

    @route("snapshot_get", SnapshotWithActionsOut)
    def get(self, request: Request) -> Response:
        snapshot = self.snapshot()
        actions = SnapshotActionOut(snapshot_actions(snapshot), many=True).data
        return Response({**snapshot_document(snapshot), "allowed_actions": actions})

    @route("snapshot_update", SnapshotOut, body=SnapshotPatch)
    def patch(self, request: Request, body: Body) -> Response:
        snapshot = self.snapshot()
        services.snapshot_update(
            self.actor,
            snapshot,
            name=body.get("name", snapshot.name),
            labels=merge_labels(snapshot.labels, body.get("labels", {})),
            expires_at=body.get("expires_at", snapshot.expires_at),
        )
        return Response(snapshot_document(snapshot))

    @route("snapshot_delete", SnapshotWithOperation, status=202, empty_statuses=(204,))
    def delete(self, request: Request) -> Response:
        if is_deleted(Snapshot.objects.filter(project=self.project), self.kwargs["snapshot"]):
            return Response(status=204)
        snapshot = self.snapshot()
        operation = services.snapshot_delete(self.actor, snapshot)
        snapshot.refresh_from_db(fields=["state", "generation", "is_deleting", "updated_at"])
        return Response(snapshot_document(snapshot, operation), status=202)


class InstanceSnapshot(ProjectView):
    @route("instance_snapshot", InstanceSnapshotsWithOperation, body=InstanceSnapshotIn, status=202)
    def post(self, request: Request, body: Body) -> Response:
        instance = instance_get(self.actor, self.project, self.kwargs["instance"])
        named = body.get("volumes")
        new = NewSnapshots(
            name=body["name"],
            consistency=body["consistency"],
            labels=body["labels"],
            expires_at=body.get("expires_at"),
            volumes=None if named is None else self.all_named(volume_get, named, at="volumes"),
        )
        taken, operation = instance_snapshot(self.actor, instance, new)
        context = representations.snapshot_details(taken, begun=operation)
        document = {
            "group": str(taken[0].group),
            "consistency": new.consistency,
            "snapshots": SnapshotOut(taken, many=True, context=context).data,
        }
        return Response(add_operation(document, operation), status=202)


def snapshot_document(snapshot: Snapshot, operation: Operation | None = None) -> dict[str, Any]:
    """Return one snapshot, with the operation that the request has begun on it."""
    context = representations.snapshot_details([snapshot], begun=operation)
    document: dict[str, Any] = SnapshotOut(snapshot, context=context).data
    return document if operation is None else add_operation(document, operation)
