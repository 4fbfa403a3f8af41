"""The one door: whatever gives a node data or work carries a warrant, and only placement makes warrants possible."""

import ast
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import get_type_hints

import grpc
import pytest
from google.protobuf.descriptor import Descriptor, MethodDescriptor

import controlplane
from agents.protocol import agent_pb2 as pb
from agents.protocol.agent_pb2_grpc import AgentStub
from controlplane.kernel.ids import new_id
from controlplane.nodes import agent_client
from controlplane.nodes.agent_client import Grant, channel_credentials, channel_options
from controlplane.placement import services as placement
from controlplane.placement.models import Allocation
from tests.workflows.helpers import make_instance
from tests.world import Cloud

ROOT = Path(controlplane.__file__).parent

# What a node may be asked or relieved of without a warrant. A new call belongs here only if it gives the node nothing.
FREE = {
    "Describe",
    "Watch",
    "ReadConsole",
    "RemoveImage",
    "RemoveVolume",
    "RemovePort",
    "RemoveInstance",
    "RemoveAttachment",
}
METHODS: list[MethodDescriptor] = list(pb.DESCRIPTOR.services_by_name["Agent"].methods)
GUARDED = [method for method in METHODS if method.name not in FREE]


def carries_warrant(message: Descriptor) -> bool:
    fields = message.fields
    inner = [field.message_type for field in fields if field.message_type is not None]
    return pb.Warrant.DESCRIPTOR in inner or any(carries_warrant(one) for one in inner)


@pytest.fixture
def stub(cloud: Cloud) -> Iterator[AgentStub]:
    node = cloud.machine.row
    with grpc.secure_channel(node.address, channel_credentials("worker"), options=channel_options(node.pk)) as channel:
        yield AgentStub(channel)


def call(stub: AgentStub, method: MethodDescriptor, warrant: pb.Warrant | None) -> tuple[grpc.StatusCode, str]:
    """Call it with nothing but this warrant; the status and the agent's code for the refusal."""
    if method.client_streaming:
        argument: object = iter([pb.ImagePart(header=pb.ImageHeader(sha256="0" * 64, warrant=warrant))])
    else:
        message = getattr(pb, method.input_type.name)(warrant=warrant)
        message.subject.id, message.subject.generation = str(new_id()), 1
        argument = message
    with pytest.raises(grpc.RpcError) as caught:
        getattr(stub, method.name)(argument, timeout=10)
    trailers = dict(caught.value.trailing_metadata())
    return caught.value.code(), trailers["andromede-code"]


def test_every_call_that_is_not_free_has_a_place_for_a_warrant() -> None:
    assert {method.name for method in METHODS} > FREE
    assert {method.name for method in GUARDED} == {
        method.name for method in METHODS if carries_warrant(method.input_type)
    }


@pytest.mark.parametrize("method", GUARDED, ids=lambda method: method.name)
def test_the_agent_refuses_it_without_a_warrant(cloud: Cloud, stub: AgentStub, method: MethodDescriptor) -> None:
    half = pb.Warrant(node_id=str(cloud.machine.row.pk), zone=cloud.machine.row.zone_id)
    for warrant in (None, half):
        assert call(stub, method, warrant) == (grpc.StatusCode.PERMISSION_DENIED, "agent.no_warrant")
    assert cloud.fake.is_clean()
    assert not cloud.fake.images


@pytest.mark.parametrize("method", GUARDED, ids=lambda method: method.name)
def test_the_agent_refuses_the_warrant_of_another_node_or_zone(
    cloud: Cloud, stub: AgentStub, method: MethodDescriptor
) -> None:
    whole = {"decision_id": str(new_id()), "allocation_id": str(new_id())}
    own = {"node_id": str(cloud.machine.row.pk), "zone": cloud.machine.row.zone_id}
    for other in ({"node_id": str(new_id())}, {"zone": "us-va-1"}):
        warrant = pb.Warrant(**{**whole, **own, **other})
        assert call(stub, method, warrant) == (grpc.StatusCode.PERMISSION_DENIED, "agent.wrong_node")
    assert cloud.fake.is_clean()


def client_functions() -> dict[str, Callable[..., object]]:
    """The functions of agent_client that call an agent."""
    functions = inspect.getmembers(agent_client, inspect.isfunction)
    return {name: function for name, function in functions if hasattr(function, "__wrapped__")}


def test_our_own_functions_for_those_calls_take_a_grant_and_no_node() -> None:
    takes_grant = {name for name, function in client_functions().items() if Grant in get_type_hints(function).values()}
    assert takes_grant == {name for name in client_functions() if name.startswith("ensure_")}
    assert len(takes_grant) == len(GUARDED)


def test_a_grant_names_the_allocation_it_comes_from(cloud: Cloud) -> None:
    instance = make_instance(cloud)
    allocation = Allocation.objects.get(consumer_id=instance.pk)
    warrant = placement.grant(instance.pk).warrant()
    assert (warrant.decision_id, warrant.allocation_id) == (str(allocation.decision_id), str(allocation.pk))
    assert (warrant.node_id, warrant.zone) == (str(cloud.machine.row.pk), "fr-idf-1")


def callers(*names: str) -> set[str]:
    """The modules of ours in which something of one of these names is called."""
    found = set()
    for file in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                if name in names:
                    found.add(file.relative_to(ROOT).with_suffix("").as_posix().replace("/", "."))
    return found


def test_only_placement_makes_grants_and_only_grants_make_warrants() -> None:
    assert callers("Grant") == {"placement.services"}
    assert callers("Warrant") == {"nodes.agent_client"}


def test_only_the_client_and_the_watcher_open_channels_to_agents() -> None:
    assert callers("secure_channel", "insecure_channel", "AgentStub") == {"nodes.agent_client", "watcher.streams"}


def test_the_watcher_only_listens() -> None:
    tree = ast.parse((ROOT / "watcher" / "streams.py").read_text())
    calls = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert calls & {method.name for method in METHODS} == {"Watch"}


def test_only_placement_writes_allocations() -> None:
    """Elsewhere they are read; a place that nobody decided would be one more door."""
    writes = {"create", "bulk_create", "update", "delete", "get_or_create", "update_or_create"}
    found = {
        file.relative_to(ROOT).as_posix()
        for file in ROOT.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in writes
        if "Allocation.objects" in ast.unparse(node.func)
    }
    assert found == {"placement/services.py"}
