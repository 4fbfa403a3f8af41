"""Routes of Terraform's `http` backend (docs/how-to/keep-terraform-states.md).

Terraform sends no bearer token to a backend but Basic credentials (RFC 7617): any user name, and the token as password.
"""

import re

from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.response import Response

from andromede_core.documents.messages import Message
from controlplane.api.base_views import ProjectView
from controlplane.api.v1.terraform_states.schemas import LockIn, LockOut, StateOut, StateVersionOut, UnlockIn
from controlplane.kernel.listing import Listing, created_after, invalid
from controlplane.kernel.query_parameters import TEXT, Parameter
from controlplane.kernel.views import JSON, Body, route
from controlplane.terraform import states
from controlplane.terraform.errors import StateMalformed
from controlplane.terraform.models import TerraformState

STATES = Listing({}, sorts=("name", "-name"))
VERSIONS = Listing({"created_after": created_after()}, sorts=("-created_at", "created_at"))
LOCK_ID_MAX = 80
UNDER_LOCK = {
    "ID": Parameter(
        "The ID of the state lock, if the state is locked.", {**TEXT, "minLength": 1, "maxLength": LOCK_ID_MAX}
    )
}
LOCKED = {423: LockOut}


class StateView(ProjectView):
    @property
    def name(self) -> str:
        return str(self.kwargs["terraform_state"])

    def state(self) -> TerraformState:
        return states.state_get(self.actor, self.project, self.name)


class StateList(ProjectView):
    @route("terraform_state_list", StateOut, listing=STATES)
    def get(self, request: Request) -> Response:
        return STATES.page(request, states.states(self.actor, self.project)).answer(StateOut)


class StateDetail(StateView):
    @route("terraform_state_read", media_type=JSON)
    def get(self, request: Request) -> HttpResponse:
        """Download the newest version, as Terraform wrote it."""
        return HttpResponse(states.state_read(self.actor, self.state()), content_type=JSON)

    @route(
        "terraform_state_write",
        StateVersionOut,
        upload=JSON,
        upload_max_bytes=states.STATE_MAX_BYTES,
        query=UNDER_LOCK,
        problems=LOCKED,
        error_statuses=(507,),
        precheck=states.need_room,
    )
    def post(self, request: Request, content: bytes) -> Response:
        """Store a new version: the body is the state as Terraform writes it."""
        lock_id = request.query_params.get("ID")
        if lock_id is not None and not 0 < len(lock_id) <= LOCK_ID_MAX:
            raise invalid("ID", Message("it must be the ID of a lock."))
        version = states.state_write(self.actor, self.project, self.name, content, lock_id=lock_id)
        return Response(StateVersionOut(version).data)

    @route("terraform_state_delete", status=204, problems=LOCKED)
    def delete(self, request: Request) -> Response:
        """Delete the state with all its versions. The resources that the state describes are kept."""
        states.state_delete(self.actor, self.state())
        return Response(status=204)


class StateLock(StateView):
    @route("terraform_state_lock", StateOut, body=LockIn, problems=LOCKED)
    def post(self, request: Request, body: Body) -> Response:
        states.state_lock(self.actor, self.project, self.name, body)
        return Response(StateOut(self.state()).data)


class StateUnlock(StateView):
    @route("terraform_state_unlock", StateOut, body=UnlockIn, problems=LOCKED)
    def post(self, request: Request, body: Body) -> Response:
        states.state_unlock(self.actor, self.state(), lock_id=body["ID"] or None)
        return Response(StateOut(self.state()).data)


class StateVersionList(StateView):
    @route("terraform_state_version_list", StateVersionOut, listing=VERSIONS)
    def get(self, request: Request) -> Response:
        return VERSIONS.page(request, states.versions(self.state())).answer(StateVersionOut)


class StateVersionDetail(StateView):
    @route("terraform_state_version_read", media_type=JSON)
    def get(self, request: Request) -> HttpResponse:
        """Download the version with this number, as Terraform wrote it: the input of `terraform state push` to go back
        to it.
        """
        number = self.kwargs["version"]
        if not re.fullmatch(r"[1-9][0-9]{0,8}", number):
            raise StateMalformed(reason=Message("a version is a number from 1."))
        return HttpResponse(states.state_read(self.actor, self.state(), number=int(number)), content_type=JSON)
