"""Routes of the SSH keys of a project."""

from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.api.base_views import ProjectView
from controlplane.api.v1.ssh_keys.schemas import SshKeyIn, SshKeyOut, SshKeyPatch
from controlplane.compute import selectors
from controlplane.compute import ssh_keys as services
from controlplane.compute.models import SshKey
from controlplane.kernel.fields import merge_labels
from controlplane.kernel.listing import Listing, created_after, exactly, labelled
from controlplane.kernel.views import Body, created, route

SSH_KEYS = Listing(
    {"name": exactly("name", "The key of this name."), "created_after": created_after(), "labels": labelled()}
)


class SshKeyList(ProjectView):
    @route("ssh_key_list", SshKeyOut, listing=SSH_KEYS)
    def get(self, request: Request) -> Response:
        return SSH_KEYS.page(request, selectors.ssh_keys(self.actor, self.project)).answer(SshKeyOut)

    @route("ssh_key_create", SshKeyOut, body=SshKeyIn, status=201)
    def post(self, request: Request, body: Body) -> Response:
        key = services.ssh_key_create(self.actor, self.project, **body)
        return created(SshKeyOut(key).data, request=request)


class SshKeyDetail(ProjectView):
    def ssh_key(self) -> SshKey:
        return selectors.ssh_key_get(self.actor, self.project, self.kwargs["ssh_key"])

    def versioned(self) -> SshKey:
        return self.ssh_key()

    @route("ssh_key_get", SshKeyOut)
    def get(self, request: Request) -> Response:
        return Response(SshKeyOut(self.ssh_key()).data)

    @route("ssh_key_update", SshKeyOut, body=SshKeyPatch)
    def patch(self, request: Request, body: Body) -> Response:
        key = self.ssh_key()
        labels = merge_labels(key.labels, body.get("labels", {}))
        services.ssh_key_update(self.actor, key, name=body.get("name", key.name), labels=labels)
        return Response(SshKeyOut(key).data)

    @route("ssh_key_delete", status=204)
    def delete(self, request: Request) -> Response:
        services.ssh_key_delete(self.actor, self.ssh_key())
        return Response(status=204)
