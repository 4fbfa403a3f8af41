"""Routes of volumes, and of their attachments to instances."""

from typing import Any

from django.db.models import Model
from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.api.base_views import ProjectView
from controlplane.api.v1.instances.schemas import AttachmentIn, AttachmentOut
from controlplane.api.v1.instances.views import InstanceView
from controlplane.api.v1.operations.schemas import add_operation, with_operation
from controlplane.api.v1.volumes.schemas import (
    GrowIn,
    RetypeIn,
    RetypePlanOut,
    RevertIn,
    RevertPlanOut,
    VolumeActionOut,
    VolumeIn,
    VolumeOut,
    VolumePatch,
    VolumeWithActionsOut,
)
from controlplane.api.v1.zones.schemas import PlacementSimulationOut, simulation_document
from controlplane.catalog.models import LOCAL
from controlplane.catalog.selectors import usable_image
from controlplane.catalog.volume_types import usable_volume_type
from controlplane.compute import attachments, representations, selectors
from controlplane.compute.models import Attachment
from controlplane.compute.volume_actions import volume_actions
from controlplane.compute.volume_moves import is_move, volume_move, volume_retype_plan
from controlplane.compute.volume_reverts import volume_revert, volume_revert_plan
from controlplane.kernel.fields import merge_labels
from controlplane.kernel.listing import Listing, created_after, exactly, in_state, labelled
from controlplane.kernel.request_transaction import is_dry_run, is_preview
from controlplane.kernel.views import Body, created, is_deleted, route
from controlplane.operations.models import Operation
from controlplane.placement import classifications
from controlplane.placement.policies import own_policy
from controlplane.placement.selectors import exemption_of
from controlplane.storage import services
from controlplane.storage.models import VOLUME, Volume
from controlplane.storage.retype import volume_retype
from controlplane.storage.selectors import snapshot_get, volume_get, volumes

VOLUMES = Listing(
    {
        "name": exactly("name", "The volume of this name."),
        "state": in_state(VOLUME),
        "zone": exactly("node__zone_id", "The volumes in this zone."),
        "created_after": created_after(),
        "labels": labelled(),
    }
)
ATTACHMENTS = Listing({"created_after": created_after()}, sorts=("created_at", "-created_at"))
VolumeWithOperation = with_operation(VolumeOut)
AttachmentWithOperation = with_operation(AttachmentOut)


class VolumeList(ProjectView):
    @route("volume_list", VolumeOut, listing=VOLUMES)
    def get(self, request: Request) -> Response:
        page = VOLUMES.page(request, volumes(self.actor, self.project))
        return page.answer(VolumeOut, context=representations.volume_details(page.rows))

    @route(
        "volume_create",
        VolumeWithOperation,
        body=VolumeIn,
        status=201,
        answers={200: PlacementSimulationOut},
    )
    def post(self, request: Request, body: Body) -> Response:
        new = self._new(body)
        if is_dry_run(request):
            taken = services.volume_dry_run(self.actor, self.project, new, is_preview=is_preview(request))
            return Response(simulation_document(taken, "volume.create", sees_all=self.actor.sees_all))
        volume, operation = services.volume_create(self.actor, self.project, new)
        return created(volume_document(volume, operation), request=request)

    def _new(self, body: Body) -> services.NewVolume:
        """Return the fields with the resources that the body names."""
        image, near, exempt = body.get("image"), body.get("near_instance"), body.get("exemption")
        snapshot = self.named(snapshot_get, body["snapshot"], at="snapshot") if "snapshot" in body else None
        usual_type = LOCAL if snapshot is None else snapshot.volume.volume_type_id
        chosen = self.all_named(classifications.usable_classification, body["classifications"], at="classifications")
        return services.NewVolume(
            name=body["name"],
            size_gib=body["size_gib"] if snapshot is None else body.get("size_gib", snapshot.size_gib),
            volume_type=usable_volume_type(self.project, body.get("volume_type", usual_type)),
            image=usable_image(self.actor, self.project, image) if image else None,
            snapshot=snapshot,
            zones=tuple(body["zones"]),
            near=self.named(selectors.instance_get, near, at="near_instance").pk if near else None,
            host=body.get("host"),
            classifications=tuple(classification.pk for classification in chosen),
            policy=own_policy(body["policy_atoms"], at="policy_atoms"),
            exemption=self.named(exemption_of, exempt, at="exemption") if exempt else None,
            labels=body["labels"],
        )


class VolumeView(ProjectView):
    def volume(self) -> Volume:
        return volume_get(self.actor, self.project, self.kwargs["volume"])

    def versioned(self) -> Volume:
        return self.volume()


class VolumeDetail(VolumeView):
    @route("volume_get", VolumeWithActionsOut)
    def get(self, request: Request) -> Response:
        volume = self.volume()
        actions = VolumeActionOut(volume_actions(volume), many=True).data
        return Response({**volume_document(volume), "allowed_actions": actions})

    @route("volume_update", VolumeOut, body=VolumePatch)
    def patch(self, request: Request, body: Body) -> Response:
        volume = self.volume()
        labels = merge_labels(volume.labels, body.get("labels", {}))
        services.volume_update(self.actor, volume, name=body.get("name", volume.name), labels=labels)
        return Response(volume_document(volume))

    @route("volume_delete", VolumeWithOperation, status=202, empty_statuses=(204,))
    def delete(self, request: Request) -> Response:
        if is_deleted(Volume.objects.filter(project=self.project), self.kwargs["volume"]):
            return Response(status=204)
        volume = self.volume()
        operation = services.volume_delete(self.actor, volume, attached_to=selectors.attached_to(volume.pk))
        return changed(volume, operation)


class VolumeGrow(VolumeView):
    @route("volume_grow", VolumeWithOperation, body=GrowIn, status=202)
    def post(self, request: Request, body: Body) -> Response:
        volume = self.volume()
        return changed(volume, services.volume_grow(self.actor, volume, size_gib=body["size_gib"]))


class VolumeRetype(VolumeView):
    """A dry run tells what is copied."""

    @route("volume_retype", VolumeWithOperation, body=RetypeIn, status=202, answers={200: RetypePlanOut})
    def post(self, request: Request, body: Body) -> Response:
        volume = self.volume()
        volume_type = usable_volume_type(self.project, body["volume_type"])
        terms = {"volume_type": volume_type, "max_mb_per_s": body.get("max_mb_per_s", 0)}
        if is_dry_run(request):
            return Response(RetypePlanOut(volume_retype_plan(self.actor, volume, **terms)).data)
        if is_move(volume, volume_type):
            return changed(volume, volume_move(self.actor, volume, **terms))
        return changed(volume, volume_retype(self.actor, volume, volume_type=volume_type))


class VolumeRevert(VolumeView):
    """A dry run tells what is lost."""

    @route("volume_revert", VolumeWithOperation, body=RevertIn, status=202, answers={200: RevertPlanOut})
    def post(self, request: Request, body: Body) -> Response:
        volume = self.volume()
        snapshot = self.named(snapshot_get, body["snapshot"], at="snapshot")
        if is_dry_run(request):
            return Response(RevertPlanOut(volume_revert_plan(self.actor, volume, snapshot=snapshot)).data)
        return changed(volume, volume_revert(self.actor, volume, snapshot=snapshot))


class AttachmentList(InstanceView):
    @route("attachment_list", AttachmentOut, listing=ATTACHMENTS)
    def get(self, request: Request) -> Response:
        return ATTACHMENTS.page(request, selectors.attachments(self.actor, self.instance())).answer(AttachmentOut)

    @route("attachment_create", AttachmentWithOperation, body=AttachmentIn, status=201)
    def post(self, request: Request, body: Body) -> Response:
        instance = self.instance()
        volume = self.named(volume_get, body["volume"], at="volume")
        attachment, operation = attachments.volume_attach(
            self.actor, instance, volume=volume, is_read_only=body["is_read_only"], is_shared=body["share"]
        )
        return created(add_operation(AttachmentOut(attachment).data, operation), request=request)


class AttachmentDetail(InstanceView):
    def attachment(self) -> Attachment:
        return selectors.attachment_get(self.actor, self.instance(), self.kwargs["attachment"])

    def versioned(self) -> Model:
        return self.attachment()

    @route("attachment_get", AttachmentOut)
    def get(self, request: Request) -> Response:
        return Response(AttachmentOut(self.attachment()).data)

    @route("attachment_delete", AttachmentWithOperation, status=202, empty_statuses=(204,))
    def delete(self, request: Request) -> Response:
        if selectors.was_detached(self.instance(), self.kwargs["attachment"]):
            return Response(status=204)
        attachment = self.attachment()
        operation = attachments.volume_detach(self.actor, attachment)
        return Response(add_operation(AttachmentOut(attachment).data, operation), status=202)


def volume_document(volume: Volume, operation: Operation | None = None) -> dict[str, Any]:
    """Return one volume, with the operation that the request has begun on it."""
    document: dict[str, Any] = VolumeOut(volume, context=representations.volume_details([volume], begun=operation)).data
    return document if operation is None else add_operation(document, operation)


def changed(volume: Volume, operation: Operation) -> Response:
    volume.refresh_from_db(fields=["state", "generation", "is_deleting", "updated_at"])
    return Response(volume_document(volume, operation), status=202)
