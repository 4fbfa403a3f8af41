"""The field of requests for a moment."""

from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from controlplane.kernel.listing import parse_timestamp


class Moment(serializers.DateTimeField):
    """An RFC 3339 timestamp with its offset."""

    default_error_messages = {"invalid": _("Must be a date and time with its offset, such as 2026-05-01T12:00:00Z.")}

    def to_internal_value(self, value: Any) -> datetime:
        try:
            return parse_timestamp(value) if isinstance(value, str) else self.fail("invalid")
        except ValueError:
            self.fail("invalid")
