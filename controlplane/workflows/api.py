"""What is done with an operation that takes knowing how it is carried out."""

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.identity.api import ActorView
from controlplane.kernel.fields import In, NamedOut, Out, Text
from controlplane.kernel.rest import Body, route
from controlplane.operations.api import OperationView
from controlplane.operations.selectors import operation_anywhere
from controlplane.operations.serializers import OperationOut, PlatformOperationOut
from controlplane.workflows.again import operation_retry
from controlplane.workflows.resolve import operation_resolve


class ResolveIn(In):
    """`reason`: how it is known that the node does not come back. It is kept in the evidence log."""

    example = {"reason": "the server burnt, see ticket 4711"}

    reason = Text(max_length=200)


class RemovalOut(Out):
    kind = serializers.CharField()
    resource = serializers.UUIDField(source="resource_id")
    generation = serializers.IntegerField()


class ResolutionOut(Out):
    """The operation, which goes on at once and ends without the node. `removals`: what is recorded so far to be removed
    from the node if it ever comes back; the steps that are still to run add to it."""

    operation = PlatformOperationOut()
    node = NamedOut()
    removals = RemovalOut(many=True)


class OperationRetry(OperationView):
    @route("operation_retry", OperationOut, status=202)
    def post(self, request: Request) -> Response:
        return Response(OperationOut(operation_retry(self.actor, self.operation())).data, status=202)


class OperationResolve(ActorView):
    @route("operation_resolve", ResolutionOut, body=ResolveIn)
    def post(self, request: Request, body: Body) -> Response:
        operation = operation_anywhere(self.actor, self.kwargs["operation"])
        return Response(ResolutionOut(operation_resolve(self.actor, operation, reason=body["reason"])).data)
