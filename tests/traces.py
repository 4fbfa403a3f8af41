"""Collect traces as a collector receives them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from scripts.polling import wait_until
from telemetry import traces
from tests.limits import PATIENCE_S


class Collected:
    def __init__(self, exporter: InMemorySpanExporter) -> None:
        self._exporter = exporter

    def spans(self) -> Sequence[ReadableSpan]:
        return self._exporter.get_finished_spans()

    def named(self, name: str) -> ReadableSpan:
        """Return the first span of this name; an agent's may end a moment after its answer."""
        wait_until(lambda: any(each.name == name for each in self.spans()), limit_s=PATIENCE_S)
        return next(each for each in self.spans() if each.name == name)


@contextmanager
def collected() -> Iterator[Collected]:
    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    traces.use(provider.get_tracer("test"))
    try:
        yield Collected(exporter)
    finally:
        traces.use(None)
        provider.shutdown()
