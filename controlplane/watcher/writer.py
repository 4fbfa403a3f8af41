"""Queue from the streams of all nodes to the one thread that writes."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any
from uuid import UUID

from agents.protocol import agent_pb2 as pb
from controlplane.watcher.batches import BatchWriter, NodeEvents, NodeReply, Outcome

# Messages within this time are written together: short beside any wait of a caller, and long enough for the receipts of
# several calls to one node.
GATHER_S = 0.1
# Nodes per batch at most, so that the others do not look unreachable meanwhile.
AT_ONCE = 50

InDatabase = Callable[..., Coroutine[Any, Any, dict[UUID, Outcome]]]


class EventWriter:
    """The queue. `in_database` calls a function in that thread."""

    def __init__(self, in_database: InDatabase) -> None:
        self._in_database = in_database
        self._batches = BatchWriter()
        self._waiting: list[tuple[NodeEvents, asyncio.Future[NodeReply]]] = []
        self._alive: set[UUID] = set()
        self._is_wanted = asyncio.Event()

    def mark_alive(self, node_id: UUID) -> None:
        """Record that the node lives, however long its messages wait. Returns at once."""
        self._alive.add(node_id)
        self._is_wanted.set()

    async def write(self, node_id: UUID, events: Sequence[pb.NodeEvent]) -> NodeReply:
        """Write the messages and return the reply to the node; its next messages wait until then.

        Raises the error of the write.
        """
        written: asyncio.Future[NodeReply] = asyncio.get_running_loop().create_future()
        self._waiting.append(((node_id, events), written))
        self._is_wanted.set()
        return await written

    async def write_all(self) -> None:
        """Write batches until cancelled."""
        while True:
            await self._is_wanted.wait()
            if len(self._waiting) < AT_ONCE:
                await asyncio.sleep(GATHER_S)
            waiting, self._waiting = self._waiting[:AT_ONCE], self._waiting[AT_ONCE:]
            alive, self._alive = self._alive, set()
            if not self._waiting:
                self._is_wanted.clear()
            batch = [events for events, _ in waiting]
            try:
                outcomes = await self._in_database(self._batches.write, batch, alive)
            except Exception as exc:  # noqa: BLE001  # each stream ends with it, and is opened again
                outcomes = dict.fromkeys((node_id for node_id, _ in batch), exc)
            for (node_id, _), written in waiting:
                _set_outcome(written, outcomes[node_id])


def _set_outcome(written: asyncio.Future[NodeReply], outcome: Outcome) -> None:
    if written.done():  # its stream has ended
        return
    if isinstance(outcome, Exception):
        written.set_exception(outcome)
    else:
        written.set_result(outcome)
