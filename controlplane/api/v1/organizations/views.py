"""Routes of organizations, and of the projects in them."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.api.base_views import ActorView, OrganizationView
from controlplane.api.v1.organizations.schemas import (
    NamedPatch,
    OrganizationIn,
    OrganizationOut,
    OrganizationWithPermissionsOut,
)
from controlplane.api.v1.projects.schemas import ProjectIn, ProjectOut
from controlplane.identity import selectors, services
from controlplane.identity.errors import UserNotFound
from controlplane.identity.models import Organization, User
from controlplane.kernel.fields import merge_labels
from controlplane.kernel.listing import Listing, created_after, exactly, labelled
from controlplane.kernel.views import Body, created, route

ORGANIZATIONS = Listing(
    {"created_after": created_after(), "name": exactly("name", "The organization of this name."), "labels": labelled()}
)


class OrganizationList(ActorView):
    @route("organization_list", OrganizationOut, listing=ORGANIZATIONS)
    def get(self, request: Request) -> Response:
        return ORGANIZATIONS.page(request, selectors.organizations(self.actor)).answer(OrganizationOut)

    @route("organization_create", OrganizationOut, body=OrganizationIn, status=201)
    def post(self, request: Request, body: Body) -> Response:
        organization = services.organization_create(
            name=body["name"], labels=body["labels"], owner=_owner(body), actor=self.actor
        )
        return created(OrganizationOut(organization).data, request=request)


def _owner(body: Body) -> User | None:
    email = body.get("owner")
    if email is None:
        return None
    owner = User.objects.filter(email__iexact=email).first()
    if owner is None:
        raise UserNotFound(field="owner", name=email)
    return owner


class OrganizationDetail(OrganizationView):
    def versioned(self) -> Organization:
        return self.organization

    @route("organization_get", OrganizationWithPermissionsOut)
    def get(self, request: Request) -> Response:
        return Response({**OrganizationOut(self.organization).data, "permissions": self.permissions})

    @route("organization_update", OrganizationOut, body=NamedPatch)
    def patch(self, request: Request, body: Body) -> Response:
        old = self.organization
        changed: dict[str, Any] = {
            "name": body.get("name", old.name),
            "labels": merge_labels(old.labels, body.get("labels", {})),
        }
        return Response(OrganizationOut(services.organization_update(self.actor, old, **changed)).data)

    @route("organization_delete", status=204)
    def delete(self, request: Request) -> Response:
        """Delete the organization; it must not have projects."""
        services.organization_delete(self.actor, self.organization)
        return Response(status=204)


class OrganizationProjects(OrganizationView):
    @route("project_create", ProjectOut, body=ProjectIn, status=201)
    def post(self, request: Request, body: Body) -> Response:
        project = services.project_create(self.organization, actor=self.actor, **body)
        return Response(ProjectOut(project).data, status=201, headers={"Location": f"/v1/projects/{project.pk}"})
