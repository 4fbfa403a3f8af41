"""An agent with the protocol of the last release.

It is a current one, behind a server that knows only scripts/released_protocol.json: later fields are lost in both
directions; later calls are unknown.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import grpc
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor import Descriptor, MethodDescriptor

from agents.node import pki
from controlplane.nodes.channels import channel_credentials, channel_options
from scripts import protocol_compatibility
from tests.world import FakeMachine

SERVICE = "andromede.agent.v1.Agent"
# Whom the agent behind lets call what; the worker everything else.
CALLERS = {"Watch": "watcher", "RenewLease": "watcher", "OpenConsole": "stream", "OpenTcp": "stream"}
Reduce = Callable[[bytes], bytes]


@dataclass
class ReleasedAgent(grpc.GenericRpcHandler):  # type: ignore[type-arg]  # generic in its stubs only
    """Server in front of the agent at `address`.

    `unknown`: further calls that it does not know. `lost`: the names of messages that lost fields.
    """

    node_id: UUID
    address: str
    unknown: Sequence[str] = ()
    lost: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        pool = descriptor_pool.DescriptorPool()
        pool.Add(protocol_compatibility.released())
        self._methods = pool.FindServiceByName(SERVICE).methods_by_name
        options = channel_options(self.node_id)
        self._channels = {
            caller: grpc.secure_channel(self.address, channel_credentials(caller), options=options)
            for caller in ("worker", *CALLERS.values())
        }

    def close(self) -> None:
        for channel in self._channels.values():
            channel.close()

    def service(self, details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[Any, Any] | None":
        name = details.method.rpartition("/")[2]
        method = self._methods.get(name)
        if method is None or name in self.unknown:
            return None

        def behave(requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
            return self._passed_on(method, details.method, requests, context)

        return grpc.stream_stream_rpc_method_handler(behave)

    def _passed_on(
        self, method: MethodDescriptor, path: str, requests: Iterator[bytes], context: grpc.ServicerContext
    ) -> Iterator[bytes]:
        asked = map(self._reduced(method.input_type), requests)
        channel: Any = self._channels[CALLERS.get(method.name, "worker")]
        call = channel.stream_stream(path)(asked)
        context.add_callback(call.cancel)
        try:
            yield from map(self._reduced(method.output_type), call)
        except grpc.RpcError:
            context.set_trailing_metadata(call.trailing_metadata())
            context.abort(call.code(), call.details())

    def _reduced(self, descriptor: Descriptor) -> Reduce:
        """Reduce a message to the fields of the last release."""
        kind = message_factory.GetMessageClass(descriptor)

        def reduced(data: bytes) -> bytes:
            message = kind.FromString(data)
            message.DiscardUnknownFields()
            left: bytes = message.SerializeToString()
            if len(left) < len(data):
                self.lost.add(descriptor.name)
            return left

        return reduced


@contextmanager
def released_agent(machine: FakeMachine, *, unknown: Sequence[str] = ()) -> Iterator[ReleasedAgent]:
    """Make the control plane call the node through this server for the duration of the block."""
    agent = ReleasedAgent(machine.row.pk, machine.row.address, unknown)
    identity = pki.load(machine.state_dir)
    server = grpc.server(ThreadPoolExecutor(16), handlers=[agent])
    pair = [(identity.key, identity.certificate)]
    tls = grpc.ssl_server_credentials(pair, root_certificates=identity.ca, require_client_auth=True)
    port = server.add_secure_port("127.0.0.1:0", tls)
    server.start()
    machine.row.address = f"127.0.0.1:{port}"
    machine.row.save(update_fields=["address"])
    try:
        yield agent
    finally:
        machine.row.address = agent.address
        machine.row.save(update_fields=["address"])
        server.stop(0).wait()
        agent.close()
