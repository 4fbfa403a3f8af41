"""Schemas of the audit log."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from controlplane.audit.models import Outcome, RequestRecord
from controlplane.kernel.fields import Out


class DeedOut(Out):
    """An audit entry.

    `actor` null: the platform itself, or a user of its machines; then `by` in `facts` names the Unix account and the
    command. `organization`: set if the entry is about no project.
    """

    verb = serializers.CharField()
    resource = serializers.UUIDField(source="resource_id")
    project = serializers.UUIDField(source="project_id", allow_null=True)
    organization = serializers.UUIDField(source="organization_id", allow_null=True)
    actor = serializers.UUIDField(source="user_id", allow_null=True)
    credential = serializers.UUIDField(source="credential_id", allow_null=True)
    request_id = serializers.CharField(allow_blank=True)
    facts = serializers.DictField()
    created_at = serializers.DateTimeField()


class PartOut(Out):
    """An actor or credential: `name` is the e-mail address or the token's name, if it still exists."""

    id = serializers.UUIDField()
    name = serializers.CharField(allow_null=True)


class RequestRecordOut(Out):
    """A request record.

    `verb` is the operationId of the route; `outcome` unknown: the process ended during the request. `deeds`: the audit
    entries of the request. `is_in_evidence`: the evidence log covers the record.
    """

    id = serializers.UUIDField()
    opened_at = serializers.DateTimeField()
    completed_at = serializers.DateTimeField()
    actor = serializers.SerializerMethodField()
    credential = serializers.SerializerMethodField()
    organization = serializers.UUIDField(source="organization_id", allow_null=True)
    project = serializers.UUIDField(source="project_id", allow_null=True)
    address = serializers.CharField(allow_null=True)
    request_id = serializers.CharField()
    verb = serializers.CharField()
    method = serializers.CharField()
    path = serializers.CharField()
    is_dry_run = serializers.BooleanField()
    outcome = serializers.ChoiceField(Outcome.values)
    status = serializers.IntegerField(allow_null=True)
    error_code = serializers.CharField(allow_blank=True)
    operation = serializers.UUIDField(source="operation_id", allow_null=True)
    resources = serializers.ListField(child=serializers.UUIDField(), source="resource_ids")
    duration_ms = serializers.IntegerField(allow_null=True)
    deeds = serializers.SerializerMethodField()
    is_in_evidence = serializers.SerializerMethodField()

    @extend_schema_field(PartOut(allow_null=True))
    def get_actor(self, record: RequestRecord) -> dict[str, Any] | None:
        return self._part("emails", record.user_id)

    @extend_schema_field(PartOut(allow_null=True))
    def get_credential(self, record: RequestRecord) -> dict[str, Any] | None:
        return self._part("credentials", record.credential_id)

    @extend_schema_field(DeedOut(many=True))
    def get_deeds(self, record: RequestRecord) -> list[dict[str, Any]]:
        return DeedOut(self.context["deeds"][record.pk], many=True).data  # type: ignore[return-value]

    def get_is_in_evidence(self, record: RequestRecord) -> bool:
        return record.evidence_id is not None

    def _part(self, names: str, id_: UUID | None) -> dict[str, Any] | None:
        return {"id": str(id_), "name": self.context[names].get(id_)} if id_ is not None else None
