"""Routes of relocations of volumes."""

from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.api.v1.volume_relocations.schemas import VolumeRelocateIn, VolumeRelocationPlanOut
from controlplane.api.v1.volumes.views import VolumeView, VolumeWithOperation, changed
from controlplane.catalog.selectors import zone_get
from controlplane.compute.volume_relocation import volume_relocate, volume_relocation_plan
from controlplane.kernel.views import Body, resolve_reference, route


class VolumeRelocate(VolumeView):
    @route("volume_relocate", VolumeWithOperation, body=VolumeRelocateIn, status=202)
    def post(self, request: Request, body: Body) -> Response:
        volume = self.volume()
        zone = resolve_reference(zone_get, body["zone"], at="zone")
        operation = volume_relocate(self.actor, volume, zone=zone, max_mb_per_s=body.get("max_mb_per_s", 0))
        return changed(volume, operation)


class VolumeRelocationPlan(VolumeView):
    """Preview a relocation; nothing is written."""

    @route("volume_relocation_plan", VolumeRelocationPlanOut)
    def get(self, request: Request) -> Response:
        return Response(VolumeRelocationPlanOut(volume_relocation_plan(self.volume())).data)
