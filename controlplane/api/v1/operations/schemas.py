"""Schemas of operations."""

from collections.abc import Mapping
from typing import Any, cast

from rest_framework import serializers

from controlplane.kernel.fields import ErrorOut, In, NamedOut, Out, Text
from controlplane.operations.models import OPERATION, Operation
from controlplane.operations.selectors import current_step_error


class TryOut(Out):
    """An error of a step, with its number of consecutive occurrences."""

    state = serializers.CharField()
    message = serializers.CharField()
    times = serializers.IntegerField()
    first_at = serializers.DateTimeField()
    last_at = serializers.DateTimeField()


class StepOut(Out):
    """A step.

    `message`: of its last try. `tries`: the errors of the last tries, if they failed. `progress`: of the step itself,
    in percent, if known while it waits.
    """

    name = serializers.CharField()
    state = serializers.CharField()
    attempts = serializers.IntegerField()
    message = serializers.CharField(required=False)
    started_at = serializers.DateTimeField(required=False)
    finished_at = serializers.DateTimeField(required=False)
    tries = TryOut(many=True, required=False)
    progress = serializers.IntegerField(required=False)

    def to_representation(self, instance: Any) -> Any:
        return instance


class CreatedByOut(Out):
    user = serializers.UUIDField(source="user_id", allow_null=True)
    credential = serializers.UUIDField(source="credential_id", allow_null=True)


class OperationOut(Out):
    """An operation.

    `progress` is in percent. `resources` are ids, and the first is the subject; `resource_name` is the subject's name
    at the time of the request. `retry_of`: the failed operation that this one retries; `retried_by`: the last operation
    that retries this one.
    """

    id = serializers.UUIDField()
    kind = serializers.CharField()
    state = serializers.ChoiceField(list(OPERATION.moves))
    progress = serializers.SerializerMethodField()
    steps = StepOut(many=True)
    resources = serializers.ListField(child=serializers.UUIDField(), source="resource_ids")
    resource_name = serializers.CharField(help_text="The name at the time of the request; empty if unknown.")
    created_by = CreatedByOut(source="*")
    request_id = serializers.CharField()
    reason = serializers.CharField()
    error = ErrorOut(allow_null=True)
    deadline = serializers.DateTimeField(source="deadline_at")
    cancellable = serializers.BooleanField(source="is_cancellable")
    retry_of = serializers.UUIDField(allow_null=True)
    retried_by = serializers.UUIDField(allow_null=True)
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)

    def get_progress(self, operation: Operation) -> int:
        if operation.state == "succeeded":
            return 100
        under_way = operation.steps[-1].get("progress", 0) if operation.state == "running" and operation.steps else 0
        return int((100 * operation.position + under_way) // max(operation.step_count, 1))


class PlatformOperationOut(OperationOut):
    """An operation with its project and organization; null: the platform's own.

    `obstacle`: the error of its last try, while it waits for the next one.
    """

    project = NamedOut(allow_null=True)
    organization = NamedOut(source="project.organization", default=None, allow_null=True)
    obstacle = serializers.SerializerMethodField(allow_null=True)

    def get_obstacle(self, operation: Operation) -> str | None:
        return current_step_error(operation) or None


def with_operation(out: type[Out], *, allow_null: bool = False) -> type[Out]:
    """Return the response schema with the operation that the request has begun."""
    members = {"operation": OperationOut(allow_null=allow_null), "__doc__": out.__doc__}
    return cast(type[Out], type(f"{out.__name__.removesuffix('Out')}WithOperationOut", (out,), members))


def add_operation(document: Mapping[str, Any], operation: Operation | None) -> dict[str, Any]:
    """Add the operation of `with_operation` to a response."""
    return {**document, "operation": OperationOut(operation).data if operation else None}


class ResolveIn(In):
    """A request to end an operation without its node.

    `reason`: how it is known that the node does not come back. The evidence log keeps it.
    """

    example = {"reason": "the server burnt, see ticket 4711"}

    reason = Text(max_length=200)


class RemovalOut(Out):
    kind = serializers.CharField()
    resource = serializers.UUIDField(source="resource_id")
    generation = serializers.IntegerField()


class ResolutionOut(Out):
    """The operation, which continues at once and ends without the node.

    `removals`: the pending removals recorded so far, in case the node comes back; the remaining steps add to them.
    """

    operation = PlatformOperationOut()
    node = NamedOut()
    removals = RemovalOut(many=True)
