"""Schemas of operations."""

from collections.abc import Mapping
from typing import Any, cast

from rest_framework import serializers

from controlplane.kernel.fields import ErrorOut, In, NamedOut, Out, Text
from controlplane.operations.models import OPERATION, Operation
from controlplane.operations.selectors import current_step_error


class TryOut(Out):
    """What a step found in its way, so many times in a row."""

    state = serializers.CharField()
    message = serializers.CharField()
    times = serializers.IntegerField()
    first_at = serializers.DateTimeField()
    last_at = serializers.DateTimeField()


class StepOut(Out):
    """`message`: of its last try. `tries`: what the last of them found, if they did not succeed. `progress`: of the
    step itself, in percent, where that is known while it waits."""

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
    """`progress` is in percent. `resources` are ids, and the first is what the operation is about; `resource_name` is
    the name which that had when the operation was asked for. `retry_of`: the operation that is asked for again with
    this one; `retried_by`: the last one that asks for this one again."""

    id = serializers.UUIDField()
    kind = serializers.CharField()
    state = serializers.ChoiceField(list(OPERATION.moves))
    progress = serializers.SerializerMethodField()
    steps = StepOut(many=True)
    resources = serializers.ListField(child=serializers.UUIDField(), source="resource_ids")
    resource_name = serializers.CharField(help_text="Then; empty where it is not known.")
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
    """Whose it is besides; null: nobody's but the platform's. `obstacle`: what its last try found in the way, while it
    waits for the next one."""

    project = NamedOut(allow_null=True)
    organization = NamedOut(source="project.organization", default=None, allow_null=True)
    obstacle = serializers.SerializerMethodField(allow_null=True)

    def get_obstacle(self, operation: Operation) -> str | None:
        return current_step_error(operation) or None


def with_operation(out: type[Out], *, allow_null: bool = False) -> type[Out]:
    """The same answer with the operation that the request has begun."""
    members = {"operation": OperationOut(allow_null=allow_null), "__doc__": out.__doc__}
    return cast(type[Out], type(f"{out.__name__.removesuffix('Out')}WithOperationOut", (out,), members))


def add_operation(document: Mapping[str, Any], operation: Operation | None) -> dict[str, Any]:
    """What `with_operation` describes."""
    return {**document, "operation": OperationOut(operation).data if operation else None}


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
