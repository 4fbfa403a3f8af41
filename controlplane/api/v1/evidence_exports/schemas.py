"""Schemas of evidence exports."""

from typing import Any

from rest_framework import serializers

from controlplane.audit.models import EXPORT
from controlplane.kernel.fields import ErrorOut, In, NamedOut, Out
from controlplane.kernel.moment_field import Moment


class ExportIn(In):
    """A request for an evidence export. `to` is exclusive and must be in the past."""

    example = {"from": "2026-10-01T00:00:00Z", "to": "2026-11-01T00:00:00Z"}

    def get_fields(self) -> dict[str, Any]:
        return {"from": Moment(), "to": Moment()}


class ExportOut(Out):
    """An evidence export.

    `file` is available once the state is ready, until `expires_at`; `sha256` (hex) and `size_bytes` are the file's.
    """

    id = serializers.UUIDField()
    organization = NamedOut()
    state = serializers.ChoiceField(list(EXPORT.moves))
    size_bytes = serializers.IntegerField(allow_null=True)
    sha256 = serializers.CharField(allow_blank=True)
    expires_at = serializers.DateTimeField(allow_null=True)
    error = ErrorOut(allow_null=True)
    created_at = serializers.DateTimeField()

    def get_fields(self) -> dict[str, Any]:
        window = {"from": serializers.DateTimeField(source="start"), "to": serializers.DateTimeField(source="end")}
        return {**super().get_fields(), **window}
