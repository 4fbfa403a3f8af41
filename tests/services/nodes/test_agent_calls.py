"""Calls to agents: the meaning of each failure, lifetime of channels, and the cost of a hung node."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
import pytest
from django.utils import translation
from pytest_django import Settings

from agents.protocol import agent_pb2 as pb
from controlplane.catalog import image_store
from controlplane.compute.models import Instance
from controlplane.kernel import error_messages
from controlplane.kernel.errors import CloudError
from controlplane.kernel.ids import new_id
from controlplane.nodes import agent_client, channels
from controlplane.nodes.errors import (
    NodeBusy,
    NodeFailed,
    NodeOutdated,
    NodeRefused,
    NodeUnreachable,
)
from controlplane.nodes.models import Node
from tests.limits import PATIENCE_S
from tests.workflows.helpers import ask_instance
from tests.world import Cloud, make_node, run

pytestmark = pytest.mark.django_db

Code = grpc.StatusCode
# Without the trailers of the agent's own errors.
MEANINGS: dict[grpc.StatusCode, tuple[type[CloudError], bool]] = {
    Code.CANCELLED: (NodeUnreachable, True),
    Code.UNKNOWN: (NodeFailed, True),
    Code.INVALID_ARGUMENT: (NodeRefused, False),
    Code.DEADLINE_EXCEEDED: (NodeUnreachable, True),
    Code.NOT_FOUND: (NodeRefused, False),
    Code.ALREADY_EXISTS: (NodeRefused, False),
    Code.PERMISSION_DENIED: (NodeRefused, False),
    Code.RESOURCE_EXHAUSTED: (NodeFailed, True),
    Code.FAILED_PRECONDITION: (NodeRefused, False),
    Code.ABORTED: (NodeFailed, True),
    Code.OUT_OF_RANGE: (NodeRefused, False),
    Code.UNIMPLEMENTED: (NodeOutdated, False),
    Code.INTERNAL: (NodeFailed, True),
    Code.UNAVAILABLE: (NodeUnreachable, True),
    Code.DATA_LOSS: (NodeRefused, False),
    Code.UNAUTHENTICATED: (NodeRefused, False),
}

Behaviour = Callable[[Any, grpc.ServicerContext], Any]


class Agent(grpc.GenericRpcHandler):
    """Answers every call with one behaviour."""

    def __init__(self, behaviour: Behaviour) -> None:
        self._handler = grpc.unary_unary_rpc_method_handler(behaviour)

    def service(self, details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[Any, Any]":
        return self._handler


@contextmanager
def served(behaviour: Behaviour) -> Iterator[str]:
    """Its address."""
    server = grpc.server(ThreadPoolExecutor(16), handlers=[Agent(behaviour)])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(0).wait()


@pytest.fixture
def without_tls(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The product's channels and calls, to servers of these tests."""
    insecure = lambda address, credentials, options: grpc.insecure_channel(address)  # noqa: E731
    monkeypatch.setattr(channels, "channel_credentials", lambda process: None)
    monkeypatch.setattr(grpc, "secure_channel", insecure)
    yield
    channels.close()


def node_at(name: str, address: str) -> Node:
    node = make_node(name)
    Node.objects.filter(pk=node.pk).update(address=address)
    node.refresh_from_db()
    return node


# ---- what failures mean


def test_every_grpc_status_has_an_error() -> None:
    assert set(MEANINGS) == set(Code) - {Code.OK}


@pytest.mark.parametrize("code", MEANINGS, ids=lambda code: code.name)
@pytest.mark.usefixtures("without_tls")
def test_grpc_status_without_an_agent_code_has_a_default_error(code: grpc.StatusCode) -> None:
    def abort(request: Any, context: grpc.ServicerContext) -> Any:
        context.abort(code, "inner words")

    with served(abort) as address, pytest.raises(CloudError) as caught:
        agent_client.describe(node_at("one", address))
    error, is_retryable = MEANINGS[code]
    assert (type(caught.value), caught.value.retryable) == (error, is_retryable)
    assert (caught.value.facts["status"], caught.value.facts["cause"]) == (code.name, "inner words")
    shown = error_messages.describe(type(caught.value), caught.value.facts)
    with translation.override("fr"):
        french = error_messages.describe(type(caught.value), caught.value.facts)
    for description in (shown, french):
        assert "inner words" not in str(description) and code.name not in str(description)
    assert french["detail"] != shown["detail"]


@pytest.mark.usefixtures("without_tls")
def test_agent_error_code_overrides_the_grpc_status() -> None:
    def refuse(request: Any, context: grpc.ServicerContext) -> Any:
        context.set_trailing_metadata((("andromede-code", "agent.conflict"), ("andromede-retryable", "false")))
        context.abort(Code.UNAVAILABLE, "It is in use.")

    with served(refuse) as address, pytest.raises(NodeRefused, match="It is in use.") as caught:
        agent_client.describe(node_at("one", address))
    assert caught.value.facts["agent_code"] == "agent.conflict"


def test_call_unknown_to_an_older_agent_is_not_retried(cloud: Cloud) -> None:
    node = cloud.machine.row
    credentials, options = channels.channel_credentials("worker"), channels.channel_options(node.pk)
    channel = grpc.secure_channel(node.address, credentials, options=options)
    with channel, pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary("/andromede.agent.v1.Agent/OfTheNextRelease", None, None)(b"")
    assert isinstance(agent_client.translate_error(caught.value), NodeOutdated)


def test_oversized_message_is_not_retried(cloud: Cloud) -> None:
    ids = [new_id() for _ in range(200_000)]
    with pytest.raises(NodeRefused, match="too large") as caught:
        agent_client.describe(cloud.machine.row, *ids)
    assert caught.value.facts["status"] == "RESOURCE_EXHAUSTED"


def test_missing_image_file_is_not_reported_as_a_node_error(cloud: Cloud) -> None:
    instance, operation = ask_instance(cloud)
    image_store.path_of(cloud.image.sha256).unlink()
    run(operation)
    assert operation.state == "failed", operation.steps
    assert operation.error["code"] == "image.file_unreadable"
    assert Instance.objects.get(pk=instance.pk).state == "error"


# ---- how long channels live


def answer(request: Any, context: grpc.ServicerContext) -> bytes:
    """An empty description."""
    return b""


@pytest.mark.usefixtures("without_tls")
def test_changed_node_address_replaces_the_channel() -> None:
    with served(answer) as here, served(answer) as there:
        node = node_at("one", here)
        agent_client.describe(node)
        with channels.calling(node) as old:
            node.address = there
            agent_client.describe(node)
            assert channels.addresses() == {node.pk: there}
            old.Describe(pb.DescribeRequest())  # a call that is under way ends first
        with pytest.raises(ValueError, match="closed"):
            old.Describe(pb.DescribeRequest())
        agent_client.describe(node)


@pytest.mark.usefixtures("without_tls")
def test_idle_channel_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channels, "IDLE_S", 0)
    monkeypatch.setattr(channels, "SWEEP_EVERY_S", 0)
    with served(answer) as address:
        retired, other = node_at("retired", address), node_at("other", address)
        with channels.calling(retired) as old:
            agent_client.describe(other)
            assert set(channels.addresses()) == {retired.pk, other.pk}, "a call is under way on it"
        agent_client.describe(other)
        assert set(channels.addresses()) == {other.pk}
        with pytest.raises(ValueError, match="closed"):
            old.Describe(pb.DescribeRequest())


# ---- what a node that hangs costs


class Hung:
    """Takes calls and answers none before it is told to."""

    def __init__(self) -> None:
        self.taken = threading.Semaphore(0)
        self.may_answer = threading.Event()

    def __call__(self, request: Any, context: grpc.ServicerContext) -> bytes:
        self.taken.release()
        self.may_answer.wait()
        return b""


@pytest.mark.usefixtures("without_tls")
def test_hung_node_does_not_delay_calls_to_others(settings: Settings) -> None:
    settings.AGENT_CALLS_PER_NODE, settings.AGENT_SLOT_WAIT_S = 2, 0
    hung = Hung()
    with served(hung) as here, served(answer) as there, ThreadPoolExecutor(2) as threads:
        node, other = node_at("hung", here), node_at("other", there)
        try:
            calls = [threads.submit(agent_client.describe, node) for _ in range(2)]
            for _ in calls:
                assert hung.taken.acquire(timeout=PATIENCE_S)
            with pytest.raises(NodeBusy) as caught:
                agent_client.describe(node)
            assert caught.value.retryable
            assert isinstance(caught.value, NodeUnreachable), "whoever takes care of silent nodes takes care of it"
            agent_client.describe(other)
            with channels.calling(node, is_limited=False):
                pass  # transfers of images do not count
            assert not any(call.done() for call in calls)
        finally:
            hung.may_answer.set()
        for call in calls:
            call.result(timeout=PATIENCE_S)
        agent_client.describe(node)


@pytest.mark.usefixtures("without_tls")
def test_call_over_the_node_limit_waits_for_a_slot(settings: Settings) -> None:
    settings.AGENT_CALLS_PER_NODE, settings.AGENT_SLOT_WAIT_S = 1, 60
    hung = Hung()
    with served(hung) as address, ThreadPoolExecutor(2) as threads:
        node = node_at("slow", address)
        try:
            calls = [threads.submit(agent_client.describe, node) for _ in range(2)]
            assert hung.taken.acquire(timeout=PATIENCE_S)
            assert not hung.taken.acquire(timeout=0.2), "the second one is not on its way yet"
        finally:
            hung.may_answer.set()
        for call in calls:
            call.result(timeout=PATIENCE_S)
