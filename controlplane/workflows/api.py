"""What is done with an operation that takes knowing how it is carried out."""

from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.kernel.rest import route
from controlplane.operations.api import OperationView
from controlplane.operations.serializers import OperationOut
from controlplane.workflows.again import operation_retry


class OperationRetry(OperationView):
    @route("operation_retry", OperationOut, status=202)
    def post(self, request: Request) -> Response:
        return Response(OperationOut(operation_retry(self.actor, self.operation())).data, status=202)
