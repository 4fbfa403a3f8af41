"""Routes of volume types: for operators, and the types that a project may use."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.api.base_views import ActorView, ProjectView
from controlplane.api.v1.flavors.views import BY_ID
from controlplane.api.v1.volume_types.schemas import VolumeTypeIn, VolumeTypeOut, VolumeTypePatch
from controlplane.catalog import volume_types as services
from controlplane.catalog.models import VolumeType
from controlplane.identity.actor import Actor
from controlplane.identity.models import Organization
from controlplane.identity.selectors import organization_get
from controlplane.kernel.listing import Listing
from controlplane.kernel.views import Body, created, resolve_references, route
from controlplane.nodes.pools import pools_by_name

VOLUME_TYPES = Listing({}, sorts=BY_ID)


def _context(actor: Actor, volume_types: Sequence[VolumeType]) -> dict[str, Any]:
    """Return the names of the organizations, for actors that see all of them, and the pools by name."""
    pools = pools_by_name(each.pool for each in volume_types if each.pool)
    if not actor.sees_all:
        return {"organizations": None, "pools": pools}
    ids = {each for volume_type in volume_types for each in volume_type.organization_ids}
    names = dict(Organization.objects.filter(pk__in=ids).values_list("pk", "name"))
    return {"organizations": names, "pools": pools}


class VolumeTypeView(ActorView):
    def with_organizations(self, body: Body) -> dict[str, Any]:
        """Return the body with the organizations that it names."""
        if "organizations" not in body:
            return dict(body)
        get = partial(organization_get, self.actor)
        return {**body, "organizations": resolve_references(get, body["organizations"], at="organizations")}

    def document(self, volume_type: VolumeType) -> dict[str, Any]:
        document: dict[str, Any] = VolumeTypeOut(volume_type, context=_context(self.actor, [volume_type])).data
        return document


class VolumeTypeList(VolumeTypeView):
    @route("volume_type_list", VolumeTypeOut, listing=VOLUME_TYPES)
    def get(self, request: Request) -> Response:
        page = VOLUME_TYPES.page(request, services.volume_types(self.actor))
        return page.answer(VolumeTypeOut, context=_context(self.actor, page.rows))

    @route("volume_type_create", VolumeTypeOut, body=VolumeTypeIn, status=201)
    def post(self, request: Request, body: Body) -> Response:
        new = services.NewVolumeType(**self.with_organizations(body))
        return created(self.document(services.volume_type_create(self.actor, new)), request=request)


class VolumeTypeDetail(VolumeTypeView):
    def volume_type(self) -> VolumeType:
        return services.volume_type_get(self.actor, self.kwargs["volume_type"])

    def versioned(self) -> VolumeType:
        return self.volume_type()

    @route("volume_type_get", VolumeTypeOut)
    def get(self, request: Request) -> Response:
        return Response(self.document(self.volume_type()))

    @route("volume_type_update", VolumeTypeOut, body=VolumeTypePatch)
    def patch(self, request: Request, body: Body) -> Response:
        changes = self.with_organizations(body)
        return Response(self.document(services.volume_type_update(self.actor, self.volume_type(), changes)))

    @route("volume_type_delete", status=204)
    def delete(self, request: Request) -> Response:
        services.volume_type_delete(self.actor, self.volume_type())
        return Response(status=204)


class UsableVolumeTypeList(ProjectView):
    @route("volume_type_usable_list", VolumeTypeOut, listing=VOLUME_TYPES)
    def get(self, request: Request) -> Response:
        page = VOLUME_TYPES.page(request, services.project_volume_types(self.project).filter(is_retired=False))
        return page.answer(VolumeTypeOut, context=_context(self.actor, page.rows))
