"""OpenTelemetry: one trace from a request over the operation that it begins and the steps of that into the agents.
There is none until `begin` was called.

What is told is which route, operation, step or call it was, how it ended and how long it took; no text of an error,
which may say what only the log is to know.
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
    """Send what `span` is told to a collector, by OTLP over HTTP, from a thread of its own: nobody waits for it, and
    what it does not take is lost. The SDK reads variables of its own besides, such as OTEL_TRACES_SAMPLER."""
    # Here, since those who trace nothing need not have it in memory.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": f"andromede-{process}"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=url)))
    use(provider.get_tracer("andromede"))


def use(tracer: Tracer | None) -> None:
    """None: trace nothing."""
    _tracers[:] = [tracer] if tracer is not None else []


def span(
    name: str, *, kind: SpanKind = SpanKind.INTERNAL, parent: str | None = None, **named: str
) -> AbstractContextManager[Span]:
    """`parent`: the traceparent of another process, or of earlier; empty: a trace of its own begins. None: within what
    this thread does already."""
    if not _tracers:
        return NO_SPAN
    context = None if parent is None else _propagator.extract({TRACEPARENT: parent}, Context())
    attributes = {f"andromede.{name}": value for name, value in named.items() if value}
    return _tracers[0].start_as_current_span(
        name, context, kind, attributes, record_exception=False, set_status_on_exception=False
    )


def traceparent() -> str:
    """For those who go on; empty when nothing is traced."""
    carrier: dict[str, str] = {}
    if _tracers:
        _propagator.inject(carrier)
    return carrier.get(TRACEPARENT, "")
