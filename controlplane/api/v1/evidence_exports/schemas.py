"""Schemas of evidence exports."""

from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from controlplane.audit.models import EXPORT
from controlplane.kernel.fields import ErrorOut, In, NamedOut, Out
from controlplane.kernel.listing import parse_timestamp


class Moment(serializers.DateTimeField):
    """An RFC 3339 timestamp with its offset."""

    default_error_messages = {"invalid": _("Must be a date and time with its offset, such as 2026-05-01T12:00:00Z.")}

    def to_internal_value(self, value: Any) -> datetime:
        try:
            return parse_timestamp(value) if isinstance(value, str) else self.fail("invalid")
        except ValueError:
            self.fail("invalid")


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
