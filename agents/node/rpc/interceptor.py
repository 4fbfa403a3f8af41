"""Wraps every call: checks the caller, maps errors to status codes, and logs one line."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn, TypeAlias, cast

import grpc
from opentelemetry.trace import SpanKind

from agents.node.errors import AdapterError, AgentError, BadRequest, Conflict, Exhausted, Forbidden, NotFound
from agents.node.rpc import call_metrics, peer_roles
from telemetry import logs
from telemetry.traces import TRACEPARENT, TRACEPARENT_MAX, span

log = logging.getLogger(__name__)

AuthContext = Mapping[str, Sequence[bytes]]  # several values a key, unlike what the stubs say
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any] | None"

STATUS: Mapping[type[AgentError], grpc.StatusCode] = {
    BadRequest: grpc.StatusCode.INVALID_ARGUMENT,
    Forbidden: grpc.StatusCode.PERMISSION_DENIED,
    NotFound: grpc.StatusCode.NOT_FOUND,
    Conflict: grpc.StatusCode.FAILED_PRECONDITION,
    Exhausted: grpc.StatusCode.RESOURCE_EXHAUSTED,
}

# These calls use the state store only, and guests are stopped when the node lease cannot be renewed.
UNLIMITED = frozenset({"RenewLease", "EnsureTrust"})


class AgentInterceptor(grpc.ServerInterceptor):  # type: ignore[type-arg]  # generic in its stubs only
    """Refuses unknown callers, turns an AgentError into a status with its code, and hides unexpected errors.

    At most `calls_at_once` calls run at once, besides watches, consoles and tunnels, which have limits of their own. A
    call that hangs in libvirt or on a disk keeps its thread after its caller has given up; above the limit a call is
    refused (agent.exhausted), so that threads are left for watches and for renewals of the lease.
    """

    def __init__(self, *, calls_at_once: int) -> None:
        self._slots = threading.BoundedSemaphore(calls_at_once)

    def intercept_service(
        self, continuation: Callable[[grpc.HandlerCallDetails], Handler], details: grpc.HandlerCallDetails
    ) -> Handler:
        handler = continuation(details)
        if handler is None:
            return None
        method = details.method.rsplit("/", 1)[-1]
        if handler.request_streaming and handler.response_streaming:
            return grpc.stream_stream_rpc_method_handler(
                _guarded_stream(method, handler.stream_stream),
                request_deserializer=handler.request_deserializer,
                response_serializer=handler.response_serializer,
            )
        if handler.response_streaming:
            return grpc.unary_stream_rpc_method_handler(
                _guarded_stream(method, handler.unary_stream),
                request_deserializer=handler.request_deserializer,
                response_serializer=handler.response_serializer,
            )
        if handler.request_streaming:
            return grpc.stream_unary_rpc_method_handler(
                self._guarded(method, handler.stream_unary),
                request_deserializer=handler.request_deserializer,
                response_serializer=handler.response_serializer,
            )
        return grpc.unary_unary_rpc_method_handler(
            self._guarded(method, handler.unary_unary),
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )

    def _guarded(self, method: str, behaviour: Any) -> Any:
        def call(request: Any, context: grpc.ServicerContext) -> Any:
            facts = _request_facts(request, context)
            parent = str(dict(context.invocation_metadata()).get(TRACEPARENT, ""))[:TRACEPARENT_MAX]
            traced = span(method, kind=SpanKind.SERVER, parent=parent, **facts)
            with logs.log_context(**facts), traced, _answering(method, context), self._slot(method):
                return behaviour(request, context)

        return call

    @contextmanager
    def _slot(self, method: str) -> Iterator[None]:
        if method in UNLIMITED:
            yield
            return
        if not self._slots.acquire(blocking=False):
            raise Exhausted("The limit of concurrent calls of this node is reached. Try again later.")
        try:
            yield
        finally:
            self._slots.release()


def _guarded_stream(method: str, behaviour: Any) -> Any:
    def call(request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        with logs.log_context(**_request_facts(request, context)), _answering(method, context):
            yield from behaviour(request, context)

    return call


def _request_facts(request: Any, context: grpc.ServicerContext) -> dict[str, str]:
    """Return the ids of the call's subject; for a stream of requests, only those in its metadata."""
    subject = getattr(request, "subject", None)
    resource = subject.id if subject is not None else getattr(request, "instance_id", "")
    return {**logs.received(dict(context.invocation_metadata())), "resource_id": resource}


@contextmanager
def _answering(method: str, context: grpc.ServicerContext) -> Iterator[None]:
    began = time.monotonic()
    facts: dict[str, object] = {"method": method, "code": "cancelled"}  # unless it comes to an end
    try:
        facts["peer"] = peer_roles.check_peer(cast(AuthContext, context.auth_context()), method)
        yield
        facts["code"] = "ok"
    except AgentError as exc:
        facts |= {"code": exc.code, "problem": exc.message}
        _abort(context, exc)
    except grpc.RpcError:
        raise  # the caller hung up while its stream was being read
    except Exception:
        facts["code"] = AgentError.code
        log.exception("call failed unexpectedly", extra={"facts": facts})
        _abort(context, AgentError("The agent failed in a way that it did not expect; see its log."))
    finally:
        seconds = time.monotonic() - began
        call_metrics.CALLS.labels(method, facts["code"]).inc()
        call_metrics.SECONDS.labels(method).observe(seconds)
        facts["ms"] = round(seconds * 1000, 1)
        log.info("call", extra={"facts": facts})


def _abort(context: grpc.ServicerContext, error: AgentError) -> NoReturn:
    metadata: Sequence[tuple[str, str]] = (
        ("andromede-code", error.code),
        ("andromede-retryable", "true" if error.retryable else "false"),
    )
    context.set_trailing_metadata(tuple(metadata))
    context.abort(status_of(error), error.message)


def status_of(error: AgentError) -> grpc.StatusCode:
    if isinstance(error, AdapterError) and error.retryable:
        return grpc.StatusCode.UNAVAILABLE
    for kind, status in STATUS.items():
        if isinstance(error, kind):
            return status
    return grpc.StatusCode.INTERNAL
