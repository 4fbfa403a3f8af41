"""Batched writes of node messages: a fleet sends more than one transaction per message could handle.

Most heartbeats equal the one before. Of each heartbeat the moment and the lease part are written, of all nodes in one
statement, with the lease that the node gets in return; and the guests' states, which others write too, in another. A
heartbeat is processed in full when it has a change, when there are new trust documents, after a signed inventory, and
once in FULL_HEARTBEAT_EVERY_S, since some results depend on the time.

Full heartbeats may be due for a whole fleet at once, and a guest that powers off must not wait for them. So a batch
processes them last, and only the few that have waited longest; the next heartbeat of the others has the same content.
"""

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError

from agents.protocol import agent_pb2 as pb
from controlplane.compute.power import PowerObservation, record_power_observations
from controlplane.kernel.prepared_queries import preparing_cursor
from controlplane.nodes.services import record_alive
from controlplane.watcher import receipts, report_handlers

FULL_HEARTBEAT_EVERY_S = 60.0
FULL_HEARTBEATS_MAX = 10
NEWS = "SELECT count(*), max(updated_at) FROM nodes_trustdocument"


NodeEvents = tuple[UUID, Sequence[pb.NodeEvent]]
NEVER = (b"", 0.0)


@dataclass(frozen=True)
class NodeReply:
    """The reply to a node once its message is recorded: trust documents, and the duration of its node lease."""

    trust: pb.EnsureTrustRequest | None = None
    renewal: pb.RenewLeaseRequest | None = None


# The reply, or the error of the write.
Outcome = NodeReply | Exception


class BatchWriter:
    """Writes batches, for one thread. Keeps the last full heartbeat of each node, and its time."""

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._known: dict[UUID, tuple[bytes, float]] = {}
        self._trust: object = None

    def write(self, batch: Sequence[NodeEvents], alive: Collection[UUID]) -> dict[UUID, Outcome]:
        """Write the messages: each node once, its messages in order.

        An invalid message affects only its own node. `alive`: nodes with messages still waiting; they are recorded
        before slower writes.

        Raises:
            DatabaseError: the database does not answer; any part of the batch may be written.
        """
        self._find_changes()
        whole = self._whole(batch, alive)
        outcomes: dict[UUID, Outcome] = {}
        observations: dict[UUID, list[PowerObservation]] = {}
        for node_id, events in batch:
            if node_id not in whole:
                outcomes[node_id] = _outcome(partial(self._write_quickly, node_id, events, observations))
        outcomes |= _record_power(observations)
        for node_id, events in batch:
            if node_id in whole:
                outcomes[node_id] = _outcome(partial(self._write, node_id, events))
        return outcomes

    def _find_changes(self) -> None:
        with preparing_cursor() as cursor:
            cursor.execute(NEWS)
            now = cursor.fetchone()
        if now != self._trust:
            self._known.clear()
            self._trust = now

    def _whole(self, batch: Sequence[NodeEvents], alive: Collection[UUID]) -> set[UUID]:
        """Return the heartbeats to process in full now. Of the others, liveness and lease are written."""
        heartbeats = {node_id: beats for node_id, events in batch if (beats := _beats(events))}
        if not heartbeats and not alive:
            return set()
        leases = {node_id: report_handlers.lease_report(beats[-1]) for node_id, beats in heartbeats.items()}
        ready = record_alive(alive, leases, lease_s=settings.NODE_LEASE_S)
        due = [
            node_id for node_id, beats in heartbeats.items() if node_id in ready and not self._is_same(node_id, beats)
        ]
        due.sort(key=lambda node_id: self._known.get(node_id, NEVER)[1])
        return {*(heartbeats.keys() - ready), *due[:FULL_HEARTBEATS_MAX]}

    def _is_same(self, node_id: UUID, beats: Sequence[pb.Heartbeat]) -> bool:
        """Tell if the heartbeat has no change. A node without libvirt's hook is always processed."""
        text, since = self._known.get(node_id, NEVER)
        is_fresh = self._clock_s() < since + FULL_HEARTBEAT_EVERY_S
        return is_fresh and all(beat.hook.is_active and _text(beat) == text for beat in beats)

    def _write_quickly(
        self, node_id: UUID, events: Sequence[pb.NodeEvent], observations: dict[UUID, list[PowerObservation]]
    ) -> NodeReply:
        """Write all but heartbeats; the guests' states are collected to be written with those of other nodes."""
        self._write_all(node_id, [each for each in events if each.WhichOneof("event") not in ("heartbeat", "instance")])
        observations[node_id] = list(_observations(node_id, events))
        return NodeReply(renewal=_renewal(events))

    def _write(self, node_id: UUID, events: Sequence[pb.NodeEvent]) -> NodeReply:
        return NodeReply(self._write_all(node_id, events), _renewal(events))

    def _write_all(self, node_id: UUID, events: Sequence[pb.NodeEvent]) -> pb.EnsureTrustRequest | None:
        due = None
        for kind, alike in groupby(events, key=lambda event: event.WhichOneof("event")):
            if kind == "receipt":
                receipts.record_receipts(node_id, [event.receipt for event in alike])
            elif kind == "heartbeat":
                due = self._write_heartbeats(node_id, alike) or due
            else:
                for event in alike:
                    report_handlers.write(node_id, event)
                if kind == "signed_inventory":
                    self._known.pop(node_id, None)
        return due

    def _write_heartbeats(self, node_id: UUID, events: Iterable[pb.NodeEvent]) -> pb.EnsureTrustRequest | None:
        """Write heartbeats: of consecutive equal ones only the newest.

        When many have to be processed in full, each one separately would make the next ones wait longer.
        """
        due = None
        for text, same in groupby(events, key=lambda event: _text(event.heartbeat)):
            *_, newest = same
            due = report_handlers.write(node_id, newest) or due
            self._known[node_id] = text, self._clock_s()
        return due


def _outcome(write: Callable[[], NodeReply]) -> Outcome:
    try:
        return write()
    except Exception as exc:  # noqa: BLE001  # whatever it is, its stream ends with it
        return exc


def _beats(events: Sequence[pb.NodeEvent]) -> list[pb.Heartbeat]:
    return [event.heartbeat for event in events if event.HasField("heartbeat")]


def _renewal(events: Sequence[pb.NodeEvent]) -> pb.RenewLeaseRequest | None:
    """Return the lease renewal for the newest heartbeat, which is the one that the row has."""
    beats = _beats(events)
    return report_handlers.lease_renewal(beats[-1]) if beats else None


def _text(heartbeat: pb.Heartbeat) -> bytes:
    """Return the heartbeat's content without the values that change each time."""
    lease = heartbeat.lease
    own = pb.Heartbeat(
        inventory=heartbeat.inventory,
        trust=heartbeat.trust,
        hook=heartbeat.hook,
        self_test=heartbeat.self_test,
        networks=heartbeat.networks,
        lease=pb.LeaseState(is_wanted=lease.is_wanted, fences_within_s=lease.fences_within_s, problem=lease.problem),
    )
    return own.SerializeToString(deterministic=True)


def _observations(node_id: UUID, events: Sequence[pb.NodeEvent]) -> Iterator[PowerObservation]:
    for event in events:
        states = event.heartbeat.instances if event.HasField("heartbeat") else [event.instance]
        yield from report_handlers.power_observations(node_id, states)


def _record_power(observations: Mapping[UUID, Sequence[PowerObservation]]) -> dict[UUID, Outcome]:
    """Record the states of all nodes together; each alone if that fails, as by an invalid value.

    Returns the failures.
    """
    try:
        record_power_observations([each for some in observations.values() for each in some])
        return {}
    except DatabaseError:
        failures: dict[UUID, Outcome] = {}
        for node_id, some in observations.items():
            try:
                record_power_observations(some)
            except DatabaseError as exc:
                failures[node_id] = exc
        return failures
