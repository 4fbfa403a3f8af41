"""Routes of relocations."""

from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.api.v1.instance_relocations.schemas import RelocateIn, RelocationPlanOut
from controlplane.api.v1.instances.views import InstanceView, InstanceWithOperation
from controlplane.catalog.selectors import zone_get
from controlplane.compute.models import Instance
from controlplane.compute.relocation import instance_relocate, relocation_plan
from controlplane.identity.actor import Actor
from controlplane.kernel.views import Body, resolve_reference, route
from controlplane.operations.models import Operation


class InstanceRelocate(InstanceView):
    @route("instance_relocate", InstanceWithOperation, body=RelocateIn, status=202)
    def post(self, request: Request, body: Body) -> Response:
        def relocate(actor: Actor, instance: Instance) -> Operation:
            zone = resolve_reference(zone_get, body["zone"], at="zone")
            return instance_relocate(actor, instance, zone=zone)

        return self.changed(relocate)


class InstanceRelocationPlan(InstanceView):
    """Preview a relocation; nothing is written."""

    @route("instance_relocation_plan", RelocationPlanOut)
    def get(self, request: Request) -> Response:
        return Response(RelocationPlanOut(relocation_plan(self.instance())).data)
