"""Schemas of metrics."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from controlplane.kernel.fields import Out
from controlplane.metrics.selectors import Value

PAIR = [{"type": "string", "format": "date-time"}, {"type": ["number", "null"]}]


POINT = {"type": "array", "minItems": 2, "maxItems": 2, "prefixItems": PAIR, "items": {}}


@extend_schema_field({"type": "array", "items": POINT})
class Points(serializers.Field[Any, Any, Any, Any]):
    def to_representation(self, value: Sequence[tuple[datetime, Value]]) -> list[tuple[str, Value]]:
        return [(f"{moment:%Y-%m-%dT%H:%M:%SZ}", number) for moment, number in value]


class SeriesOut(Out):
    """A series. `points`: pairs of the beginning of an interval and its value; null: no value.

    `rule_id`: the rule of a security group that the series of a port is about; null: of none.
    """

    name = serializers.CharField()
    unit = serializers.CharField()
    points = Points()
    rule_id = serializers.UUIDField(allow_null=True)


class MetricsOut(Out):
    """Series of metrics.

    All series have the same timestamps: from `since` on, one for each `resolution_s` seconds before `until`.
    """

    resolution_s = serializers.IntegerField()
    since = serializers.DateTimeField()
    until = serializers.DateTimeField()
    series = SeriesOut(many=True)
