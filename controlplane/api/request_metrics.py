"""Metrics of requests by route: number and duration. Traces begin here too."""

import time
from collections.abc import Callable
from functools import cache

from django.http import HttpRequest, HttpResponse
from opentelemetry.trace import SpanKind
from prometheus_client import Counter, Histogram

from controlplane.api.middleware import is_api, request_id_of
from controlplane.api.request_audit import route_of
from telemetry.traces import span

REQUESTS = Counter("andromede_requests_total", "Answered requests.", ["operation_id", "status"])
SECONDS = Histogram(
    "andromede_request_duration_seconds",
    "Seconds until the response begins.",
    ["operation_id"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
PAGE, NO_ROUTE = "page", "none"


class RequestMetricsMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        begun = time.perf_counter()
        with span("request", kind=SpanKind.SERVER, request_id=request_id_of(request)) as current:
            response = self.get_response(request)
            operation_id = _operation_id(request)
            current.update_name(operation_id)
            current.set_attribute("http.response.status_code", response.status_code)
        count, seconds = _meters(operation_id, response.status_code)
        count.inc()
        seconds.observe(time.perf_counter() - begun)
        return response


@cache
def _meters(operation_id: str, status: int) -> tuple[Counter, Histogram]:
    """Return the meters; there is one per route and status."""
    return REQUESTS.labels(operation_id, status), SECONDS.labels(operation_id)


def _operation_id(request: HttpRequest) -> str:
    if (route := route_of(request)) is not None:
        return route.operation_id
    return NO_ROUTE if is_api(request) or request.resolver_match is None else PAGE
