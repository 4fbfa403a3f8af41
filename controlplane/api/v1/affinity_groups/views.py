"""Routes of affinity groups."""

from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.api.base_views import ProjectView
from controlplane.api.v1.affinity_groups.schemas import AffinityGroupIn, AffinityGroupOut, AffinityGroupPatch
from controlplane.compute import affinity_groups as services
from controlplane.compute import selectors
from controlplane.compute.models import AffinityGroup
from controlplane.kernel.fields import merge_labels
from controlplane.kernel.listing import Listing, created_after, exactly, labelled
from controlplane.kernel.views import Body, created, route

AFFINITY_GROUPS = Listing(
    {"name": exactly("name", "The group of this name."), "created_after": created_after(), "labels": labelled()}
)


class AffinityGroupList(ProjectView):
    @route("affinity_group_list", AffinityGroupOut, listing=AFFINITY_GROUPS)
    def get(self, request: Request) -> Response:
        groups = selectors.affinity_groups(self.actor, self.project)
        return AFFINITY_GROUPS.page(request, groups).answer(AffinityGroupOut)

    @route("affinity_group_create", AffinityGroupOut, body=AffinityGroupIn, status=201)
    def post(self, request: Request, body: Body) -> Response:
        group = services.affinity_group_create(self.actor, self.project, **body)
        return created(AffinityGroupOut(group).data, request=request)


class AffinityGroupDetail(ProjectView):
    def group(self) -> AffinityGroup:
        return selectors.affinity_group_get(self.actor, self.project, self.kwargs["affinity_group"])

    def versioned(self) -> AffinityGroup:
        return self.group()

    @route("affinity_group_get", AffinityGroupOut)
    def get(self, request: Request) -> Response:
        return Response(AffinityGroupOut(self.group()).data)

    @route("affinity_group_update", AffinityGroupOut, body=AffinityGroupPatch)
    def patch(self, request: Request, body: Body) -> Response:
        group = self.group()
        labels = merge_labels(group.labels, body.get("labels", {}))
        services.affinity_group_update(self.actor, group, name=body.get("name", group.name), labels=labels)
        return Response(AffinityGroupOut(group).data)

    @route("affinity_group_delete", status=204)
    def delete(self, request: Request) -> Response:
        services.affinity_group_delete(self.actor, self.group())
        return Response(status=204)
