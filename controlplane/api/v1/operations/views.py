"""Routes of operations: read, wait, cancel and retry for a project; list all and resolve for operators."""

from django.db.models import Q
from rest_framework.request import Request
from rest_framework.response import Response

from andromede_core.documents.messages import Message
from controlplane.api.base_views import ActorView, ProjectView
from controlplane.api.v1.operations.schemas import OperationOut, PlatformOperationOut, ResolutionOut, ResolveIn
from controlplane.kernel.listing import Filter, Listing, among, contains_id, created_after, exactly, has_id
from controlplane.kernel.long_poll import Condition, wait_s, wait_until
from controlplane.kernel.query_parameters import FLAG, WAIT, Parameter
from controlplane.kernel.views import Body, route
from controlplane.operations import selectors, services
from controlplane.operations.models import OPERATION, Operation
from controlplane.operations.selectors import operation_anywhere
from controlplane.workflows.force_finish import operation_force_finish
from controlplane.workflows.operation_retry import operation_retry

WAITING = {"wait": Parameter("Respond when the operation has ended, at the latest after this time (0s to 60s).", WAIT)}
OPERATIONS = Listing(
    {
        "resource": contains_id("resource_ids", "The operations on the resource with this id."),
        "state": among("state", OPERATION.moves),
        "kind": exactly("kind", "The operations of this kind, such as instance.create."),
        "created_after": created_after(),
    },
    sorts=("-created_at", "created_at"),
)


def _stuck(text: str) -> Q:
    if text not in ("true", "false"):
        raise ValueError(Message("it must be one of {known}.", known="true, false"))
    return selectors.stuck() if text == "true" else ~selectors.stuck()


ANYWHERE = Listing(
    {
        **OPERATIONS.filters,
        "project": has_id("project_id", "The operations of the project with this id."),
        "stuck": Filter(_stuck, "true: running operations that cannot end by themselves; false: all others.", FLAG),
        "organization": has_id("project__organization_id", "The operations of the organization with this id."),
    },
    sorts=OPERATIONS.sorts,
)


class OperationList(ProjectView):
    @route("operation_list", OperationOut, listing=OPERATIONS)
    def get(self, request: Request) -> Response:
        return OPERATIONS.page(request, selectors.operations(self.actor, self.project)).answer(OperationOut)


class PlatformOperationList(ActorView):
    """List the operations of the platform and all projects; for operators and auditors."""

    @route("platform_operation_list", PlatformOperationOut, listing=ANYWHERE)
    def get(self, request: Request) -> Response:
        return ANYWHERE.page(request, selectors.operations_anywhere(self.actor)).answer(PlatformOperationOut)


class PlatformOperationDetail(ActorView):
    """Show an operation of any project, or of none."""

    @route("platform_operation_get", PlatformOperationOut, query=WAITING)
    def get(self, request: Request) -> Response:
        limit_s = wait_s(request)
        operation = selectors.operation_anywhere(self.actor, self.kwargs["operation"])
        _wait_for_end(request, operation, limit_s=limit_s)
        return Response(PlatformOperationOut(operation).data)


class OperationView(ProjectView):
    def operation(self) -> Operation:
        return selectors.operation_get(self.actor, self.project, self.kwargs["operation"])


class OperationDetail(OperationView):
    @route("operation_get", OperationOut, query=WAITING)
    def get(self, request: Request) -> Response:
        limit_s = wait_s(request)
        operation = self.operation()
        _wait_for_end(request, operation, limit_s=limit_s)
        return Response(OperationOut(operation).data)


class OperationCancel(OperationView):
    @route("operation_cancel", OperationOut, status=202)
    def post(self, request: Request) -> Response:
        operation = services.operation_cancel(self.actor, self.operation())
        return Response(OperationOut(operation).data, status=202)


def _wait_for_end(request: Request, operation: Operation, *, limit_s: int) -> None:
    """Return the operation, reloaded, once it has ended, or after `limit_s` seconds."""
    if operation.finished_at is not None or limit_s == 0:
        return
    ended = Operation.objects.filter(pk=operation.pk, finished_at__isnull=False)
    owners = frozenset({operation.project_id}) if operation.project_id is not None else None
    if wait_until(request, Condition(ended.exists, owners), limit_s=limit_s):
        operation.refresh_from_db()


class OperationRetry(OperationView):
    @route("operation_retry", OperationOut, status=202)
    def post(self, request: Request) -> Response:
        return Response(OperationOut(operation_retry(self.actor, self.operation())).data, status=202)


class OperationResolve(ActorView):
    @route("operation_resolve", ResolutionOut, body=ResolveIn)
    def post(self, request: Request, body: Body) -> Response:
        operation = operation_anywhere(self.actor, self.kwargs["operation"])
        return Response(ResolutionOut(operation_force_finish(self.actor, operation, reason=body["reason"])).data)
