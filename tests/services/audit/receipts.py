"""Record signed receipts of a node in the log."""

import grpc

from agents.protocol import agent_pb2 as pb
from agents.protocol.agent_pb2_grpc import AgentStub
from controlplane.nodes import channels
from controlplane.watcher import report_handlers
from controlplane.watcher.receipts import last_number
from tests.world import FakeMachine


def record_receipts(machine: FakeMachine) -> None:
    """Record all receipts of the node as evidence, as the watcher does."""
    request = pb.WatchRequest(heartbeat_interval_ms=100, receipts_after=last_number(machine.row.pk))
    heartbeats = 0
    credentials, options = channels.channel_credentials("watcher"), channels.channel_options(machine.row.pk)
    with grpc.secure_channel(machine.row.address, credentials, options=options) as channel:
        for event in AgentStub(channel).Watch(request):  # type: ignore[no-untyped-call]
            heartbeats += event.WhichOneof("event") == "heartbeat"
            if event.WhichOneof("event") == "receipt":
                report_handlers.write(machine.row.pk, event)
            if heartbeats == 2:
                break
