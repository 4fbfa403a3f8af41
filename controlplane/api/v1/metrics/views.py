"""Routes of metrics: of instances and ports for tenants, of nodes for operators."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.api.base_views import OperatorView
from controlplane.api.v1.instances.views import InstanceView
from controlplane.api.v1.metrics.schemas import MetricsOut
from controlplane.api.v1.ports.views import PortView
from controlplane.kernel import clock
from controlplane.kernel.views import route
from controlplane.metrics import selectors
from controlplane.metrics.selectors import Series
from controlplane.metrics.windows import PARAMETERS, Window, window_of
from controlplane.nodes.selectors import node_get


class InstanceMetrics(InstanceView):
    @route("instance_metrics", MetricsOut, query=PARAMETERS)
    def get(self, request: Request) -> Response:
        instance, window = self.instance(), window_of(request.query_params, clock.now())
        return Response(document(window, selectors.instance_series(self.actor, instance, window)))


class PortMetrics(PortView):
    @route("port_metrics", MetricsOut, query=PARAMETERS)
    def get(self, request: Request) -> Response:
        """Return what the port's guest received and sent; of a port that is not attached, what there was before."""
        port, window = self.port(), window_of(request.query_params, clock.now())
        return Response(document(window, selectors.port_series(self.actor, port, window)))


class NodeMetrics(OperatorView):
    @route("node_metrics", MetricsOut, query=PARAMETERS)
    def get(self, request: Request) -> Response:
        """Return the sums over all guests that are on the node now."""
        node, window = node_get(self.actor, self.kwargs["node"]), window_of(request.query_params, clock.now())
        return Response(document(window, selectors.node_series(self.actor, node, window)))


def document(window: Window, series: list[Series]) -> dict[str, Any]:
    bounds = {"resolution_s": int(window.step.total_seconds()), "since": window.since, "until": window.until}
    return dict(MetricsOut(bounds | {"series": series}).data)
