"""Events for a watcher of the node.

They are heartbeats, changed guests, usage, receipts, and a signed inventory at an interval.
"""

import time
from collections.abc import Iterator
from uuid import UUID

from agents.node.context import Node
from agents.node.errors import HypervisorUnavailable
from agents.node.rpc import encoding
from agents.node.services import events, inventory, signed_inventory, unreadable_documents
from agents.protocol import agent_pb2 as pb

RECEIPTS_AT_ONCE = 100
# Receipts are deleted when a new watch acknowledges them, so a caller has to watch again from time to time.
MAX_RECEIPTS = 10_000


class Stream:
    def __init__(self, node: Node, *, interval_s: float, receipts_after: int) -> None:
        self._node = node
        self._interval_s = interval_s
        self._last_receipt = receipts_after
        self._receipts_left = MAX_RECEIPTS

    def events(self, watch: events.Watch) -> Iterator[pb.NodeEvent]:
        """Yield events until the watch is closed, or MAX_RECEIPTS receipts were sent."""
        next_heartbeat = next_inventory = time.monotonic()
        while not watch.is_closed:
            if time.monotonic() >= next_heartbeat:
                next_heartbeat = time.monotonic() + self._interval_s
                yield self._heartbeat()
            if time.monotonic() >= next_inventory:
                next_inventory = time.monotonic() + self._node.inventory_interval_s
                document = signed_inventory.document(self._node)
                yield pb.NodeEvent(at_unix_ms=_now_ms(), signed_inventory=document)
            for reading in watch.readings():
                yield pb.NodeEvent(at_unix_ms=_now_ms(), usage=encoding.usage(reading))
            yield from self._receipts()
            if self._receipts_left <= 0:
                return
            guest_id = watch.next(next_heartbeat - time.monotonic())
            if guest_id is not None:
                yield from self._change(guest_id)

    def _heartbeat(self) -> pb.NodeEvent:
        node = self._node
        heartbeat = pb.Heartbeat(
            inventory=encoding.inventory(inventory.inventory(node)),
            instances=[encoding.instance(status) for status in inventory.instance_statuses(node)],
            trust=encoding.trust(node.permits.store.held, is_clock_kept=node.permits.clock.is_kept()),
            hook=encoding.hook(node.hook_state),
            self_test=encoding.self_test(node.self_test),
            networks=encoding.networks(node.adapters.switch.problems(), unreadable_documents.problem(node)),
            lease=encoding.lease(node.lease.status()),
        )
        return pb.NodeEvent(at_unix_ms=_now_ms(), heartbeat=heartbeat)

    def _receipts(self) -> Iterator[pb.NodeEvent]:
        while receipts := self._node.permits.receipts.after(self._last_receipt, limit=RECEIPTS_AT_ONCE):
            for number, document in receipts:
                yield pb.NodeEvent(at_unix_ms=_now_ms(), receipt=pb.Receipt(number=number, document=document))
            self._last_receipt = receipts[-1][0]
            self._receipts_left -= len(receipts)
            if self._receipts_left <= 0:
                return

    def _change(self, guest_id: UUID) -> Iterator[pb.NodeEvent]:
        """Return the change; none while libvirtd does not answer: afterwards the state of all guests is sent."""
        try:
            status = inventory.instance_status(self._node, guest_id)
        except HypervisorUnavailable:
            return
        if status is not None:
            yield pb.NodeEvent(at_unix_ms=_now_ms(), instance=encoding.instance(status))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
