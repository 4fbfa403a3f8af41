"""Schemas of Terraform states."""

from typing import Any

from rest_framework import serializers

from controlplane.kernel.fields import In, Out, Text

LOCK_TEXT_MAX = 1000


class LockIn(In):
    """A state lock with Terraform's description of its holder. The names are Terraform's."""

    example = {
        "ID": "6a2f7a7c-4f3a-9a56-3e3c-2f1c5b7a9d10",
        "Operation": "OperationTypeApply",
        "Info": "",
        "Who": "ada@workstation",
        "Version": "1.15.5",
        "Created": "2026-05-01T12:00:00Z",
        "Path": "",
    }

    def get_fields(self) -> dict[str, Any]:
        rest = ("Operation", "Info", "Who", "Version", "Created", "Path")
        texts = {name: Text(max_length=LOCK_TEXT_MAX, default="", allow_blank=True, is_multiline=True) for name in rest}
        return {"ID": Text(max_length=80), **texts}


class UnlockIn(LockIn):
    """The state lock to end. Without an ID, any lock is ended, as `terraform force-unlock` requires."""

    example = {"ID": LockIn.example["ID"]}

    def get_fields(self) -> dict[str, Any]:
        return super().get_fields() | {"ID": Text(max_length=80, default="", allow_blank=True)}


class LockOut(Out):
    def get_fields(self) -> dict[str, Any]:
        return {str(name): serializers.CharField(allow_blank=True) for name in LockIn().fields}


class StateOut(Out):
    """A Terraform state. `version`: the newest; null: locked and never written."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    version = serializers.IntegerField(allow_null=True)
    lock = LockOut(allow_null=True)
    locked_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class StateVersionOut(Out):
    """A version of a state. `serial` is Terraform's own count. `user_id` and `credential_id`: of the writer."""

    number = serializers.IntegerField()
    serial = serializers.IntegerField()
    size_bytes = serializers.IntegerField()
    user_id = serializers.UUIDField(allow_null=True)
    credential_id = serializers.UUIDField(allow_null=True)
    created_at = serializers.DateTimeField()
