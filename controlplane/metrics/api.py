"""Metrics of instances, for who sees the instance; and of nodes, for operators."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.compute.api import InstanceView
from controlplane.kernel import clock
from controlplane.kernel.fields import Out
from controlplane.kernel.rest import route
from controlplane.metrics import selectors
from controlplane.metrics.selectors import Series, Value
from controlplane.metrics.windows import PARAMETERS, Window, window_of
from controlplane.nodes.api import OperatorView
from controlplane.nodes.selectors import node_get

PAIR = [{"type": "string", "format": "date-time"}, {"type": ["number", "null"]}]
POINT = {"type": "array", "minItems": 2, "maxItems": 2, "prefixItems": PAIR, "items": {}}


@extend_schema_field({"type": "array", "items": POINT})
class Points(serializers.Field[Any, Any, Any, Any]):
    def to_representation(self, value: Sequence[tuple[datetime, Value]]) -> list[tuple[str, Value]]:
        return [(f"{moment:%Y-%m-%dT%H:%M:%SZ}", number) for moment, number in value]


class SeriesOut(Out):
    """`points`: pairs of the moment with which the time begins that the point stands for, and of the value; null where
    nothing is known."""

    name = serializers.CharField()
    unit = serializers.CharField()
    points = Points()


class MetricsOut(Out):
    """The same moments in all series: from `since` on, one for each `resolution_s` seconds before `until`."""

    resolution_s = serializers.IntegerField()
    since = serializers.DateTimeField()
    until = serializers.DateTimeField()
    series = SeriesOut(many=True)


class InstanceMetrics(InstanceView):
    @route("instance_metrics", MetricsOut, query=PARAMETERS)
    def get(self, request: Request) -> Response:
        instance, window = self.instance(), window_of(request.query_params, clock.now())
        return Response(document(window, selectors.of_instance(self.actor, instance, window)))


class NodeMetrics(OperatorView):
    @route("node_metrics", MetricsOut, query=PARAMETERS)
    def get(self, request: Request) -> Response:
        """The sums over all guests that are on the node now."""
        node, window = node_get(self.actor, self.kwargs["node"]), window_of(request.query_params, clock.now())
        return Response(document(window, selectors.of_node(self.actor, node, window)))


def document(window: Window, series: list[Series]) -> dict[str, Any]:
    found = {"resolution_s": int(window.step.total_seconds()), "since": window.since, "until": window.until}
    return dict(MetricsOut(found | {"series": series}).data)
