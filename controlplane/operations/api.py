"""The operations of a project: look, wait, cancel."""

import re
import time

from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.identity.api import ProjectView
from controlplane.kernel.listing import Listing, among, contains_id, created_after, exactly, invalid
from controlplane.kernel.reasons import Reason
from controlplane.kernel.rest import route
from controlplane.operations import selectors, services
from controlplane.operations.models import OPERATION, Operation
from controlplane.operations.serializers import OperationOut

WAIT_MAX_S = 60
POLL_FIRST_S = 0.02
POLL_MAX_S = 0.2
OPERATIONS = Listing(
    {
        "resource": contains_id("resource_ids", "The operations on the resource with this id."),
        "state": among("state", OPERATION.moves),
        "kind": exactly("kind", "The operations of this kind, such as instance.create."),
        "created_after": created_after(),
    },
    sorts=("-created_at", "created_at"),
)


class OperationList(ProjectView):
    @route("operation_list", OperationOut, listing=OPERATIONS)
    def get(self, request: Request) -> Response:
        return OPERATIONS.page(request, selectors.operations(self.actor, self.project)).answer(OperationOut)


class OperationView(ProjectView):
    def operation(self) -> Operation:
        return selectors.operation_get(self.actor, self.project, self.kwargs["operation"])


class OperationDetail(OperationView):
    @route(
        "operation_get",
        OperationOut,
        query={"wait": "Answer when the operation has ended, or after so many seconds (1s to 60s)."},
    )
    def get(self, request: Request) -> Response:
        limit_s = _seconds(request.query_params.get("wait", "0s"))
        operation = self.operation()
        _wait_for_end(operation, limit_s=limit_s)
        return Response(OperationOut(operation).data)


class OperationCancel(OperationView):
    @route("operation_cancel", OperationOut, status=202)
    def post(self, request: Request) -> Response:
        operation = services.operation_cancel(self.actor, self.operation())
        return Response(OperationOut(operation).data, status=202)


def _seconds(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,2}s?", text) or int(text.rstrip("s")) > WAIT_MAX_S:
        raise invalid("wait", Reason("it must be 0s to {limit_s}s.", limit_s=WAIT_MAX_S))
    return int(text.rstrip("s"))


def _wait_for_end(operation: Operation, *, limit_s: int) -> None:
    """Reload the operation once it has ended or the time is over. Between two looks nothing is held, no transaction
    either."""
    if operation.finished_at is not None or limit_s == 0:
        return
    ended = Operation.objects.filter(pk=operation.pk, finished_at__isnull=False)
    deadline, pause_s = time.monotonic() + limit_s, POLL_FIRST_S
    while not ended.exists() and time.monotonic() < deadline:
        time.sleep(pause_s)
        pause_s = min(POLL_MAX_S, pause_s * 1.5)
    operation.refresh_from_db()
