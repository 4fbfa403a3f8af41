"""Routes of projects."""

from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.api.base_views import ActorView, ProjectView
from controlplane.api.v1.organizations.schemas import NamedPatch
from controlplane.api.v1.projects.schemas import ProjectOut, ProjectWithPermissionsOut
from controlplane.identity import selectors, services
from controlplane.identity.models import Project
from controlplane.kernel.fields import merge_labels
from controlplane.kernel.listing import Listing, created_after, exactly, labelled
from controlplane.kernel.views import Body, route

PROJECTS = Listing(
    {
        "created_after": created_after(),
        "name": exactly("name", "The project of this name."),
        "organization": exactly("organization__name", "The projects of the organization of this name."),
        "labels": labelled(),
    }
)


class ProjectList(ActorView):
    @route("project_list", ProjectOut, listing=PROJECTS)
    def get(self, request: Request) -> Response:
        return PROJECTS.page(request, selectors.projects(self.actor)).answer(ProjectOut)


class ProjectDetail(ProjectView):
    def versioned(self) -> Project:
        return self.project

    @route("project_get", ProjectWithPermissionsOut)
    def get(self, request: Request) -> Response:
        return Response({**ProjectOut(self.project).data, "permissions": self.permissions})

    @route("project_update", ProjectOut, body=NamedPatch)
    def patch(self, request: Request, body: Body) -> Response:
        project = self.project
        labels = merge_labels(project.labels, body.get("labels", {}))
        project = services.project_update(self.actor, project, name=body.get("name", project.name), labels=labels)
        return Response(ProjectOut(project).data)

    @route("project_delete", status=204)
    def delete(self, request: Request) -> Response:
        """Delete the project; it must be empty. The error names what is left."""
        services.project_delete(self.actor, self.project)
        return Response(status=204)
