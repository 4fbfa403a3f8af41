"""OpenTelemetry: one trace from a request over its operation and the operation's steps into the agents.

Nothing is traced until `begin` was called. A span has the route, operation, step or call, its outcome and its duration;
no text of an error, which may hold details for the log only.
"""

from contextlib import AbstractContextManager, nullcontext

from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, Span, SpanKind, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

TRACEPARENT = "traceparent"  # https://www.w3.org/TR/trace-context/
TRACEPARENT_MAX = 55
NO_SPAN = nullcontext(INVALID_SPAN)

_propagator = TraceContextTextMapPropagator()
_tracers: list[Tracer] = []


def begin(process: str, url: str) -> None:
    """Send the spans to a collector, by OTLP over HTTP, from a thread of its own.

    No caller waits for the collector, and spans that it does not accept are lost. The SDK also reads variables of its
    own, such as OTEL_TRACES_SAMPLER.
    """
    # Imported here, so that a process without traces does not load it.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": f"andromede-{process}"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=url)))
    use(provider.get_tracer("andromede"))


def use(tracer: Tracer | None) -> None:
    """Set the tracer; None: trace nothing."""
    _tracers[:] = [tracer] if tracer is not None else []


def span(
    name: str, *, kind: SpanKind = SpanKind.INTERNAL, parent: str | None = None, **named: str
) -> AbstractContextManager[Span]:
    """Start a span.

    `parent`: the traceparent of another process, or of earlier work; empty: a new trace begins. None: the span belongs
    to the current one of this thread.
    """
    if not _tracers:
        return NO_SPAN
    context = None if parent is None else _propagator.extract({TRACEPARENT: parent}, Context())
    attributes = {f"andromede.{name}": value for name, value in named.items() if value}
    return _tracers[0].start_as_current_span(
        name, context, kind, attributes, record_exception=False, set_status_on_exception=False
    )


def traceparent() -> str:
    """Return the traceparent to pass on; empty when nothing is traced."""
    carrier: dict[str, str] = {}
    if _tracers:
        _propagator.inject(carrier)
    return carrier.get(TRACEPARENT, "")
