"""What a node has signed of its deeds reaches the log."""

from agents.protocol import agent_pb2 as pb
from controlplane.nodes import agent_client
from controlplane.watcher import messages
from controlplane.watcher.receipts import last_number
from tests.world import FakeMachine


def hear_receipts(machine: FakeMachine) -> None:
    """As the watcher does it: all that the node has done so far becomes evidence."""
    request = pb.WatchRequest(heartbeat_interval_ms=100, receipts_after=last_number(machine.row.pk))
    heartbeats = 0
    stream = agent_client._stub(machine.row).Watch(request)
    for event in stream:
        heartbeats += event.WhichOneof("event") == "heartbeat"
        if event.WhichOneof("event") == "receipt":
            messages.write(machine.row.pk, event)
        if heartbeats == 2:
            break
    stream.cancel()
