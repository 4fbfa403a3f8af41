"""Usage samples on their way to the database: in a thread of their own, so that heartbeats never wait for them.

The buffer is bounded: samples that do not fit are dropped and counted.
"""

import asyncio
import logging
import time
import zlib
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from uuid import UUID

from django.conf import settings
from django.db import Error as DatabaseDown
from django.db import close_old_connections, connection

from agents.protocol import agent_pb2 as pb
from andromede_core.permits.security_group import MAX_COUNTED_RULES
from controlplane.kernel.names import as_uuid
from controlplane.metrics.services import PortSample, RuleSample, Sample, record, record_ports, record_rules
from controlplane.watcher.stream_registry import DROPPED

log = logging.getLogger(__name__)

WRITE_EVERY_S = 1.0
BATCH = 2000
LOG_INTERVAL_S = 60.0
# Nodes are not trusted: sums over a day of these limits still fit the columns.
MAX_COUNTER = 2**53
MAX_MIB = 2**31 - 1
MAX_VCPUS = 2**15 - 1
MAX_UNIX_MS = 4_102_444_800_000  # the year 2100


class UsageBuffer:
    """The buffer. Streams offer samples; `write_all` writes them."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[UUID, pb.Usage]] = deque()
        self._count = 0
        self._dropped = 0
        self._logged_at = -LOG_INTERVAL_S
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="metrics")

    def offer(self, node_id: UUID, usage: pb.Usage) -> None:
        """Add a sample. Returns at once."""
        if self._count + len(usage.guests) > settings.METRICS_BUFFER_SAMPLES:
            self._drop(len(usage.guests), "database too slow")
        else:
            self._waiting.append((node_id, usage))
            self._count += len(usage.guests)

    async def write_all(self) -> None:
        """Write batches until cancelled."""
        try:
            while True:
                while self._waiting and await self._write():
                    pass
                await asyncio.sleep(WRITE_EVERY_S)
        finally:
            self._executor.submit(_hang_up)
            self._executor.shutdown()

    async def _write(self) -> bool:
        """Write a batch; False when the database does not answer: the batch is retried."""
        batch, samples = [], 0
        while self._waiting and samples < BATCH:
            batch.append(self._waiting.popleft())
            samples += len(batch[-1][1].guests)
        try:
            await asyncio.get_running_loop().run_in_executor(self._executor, _keep, batch)
        except DatabaseDown as exc:
            log.error("metrics not written, batch is retried: %s", exc)
            self._waiting.extendleft(reversed(batch))
            return False
        except Exception:
            log.exception("metrics not written, batch is dropped")
            self._drop(samples, "invalid samples")
        self._count -= samples
        return True

    def _drop(self, count: int, why: str) -> None:
        self._dropped += count
        DROPPED.inc(count)
        if time.monotonic() - self._logged_at >= LOG_INTERVAL_S:
            self._logged_at = time.monotonic()
            log.warning("metric samples dropped, %d in total: %s", self._dropped, why)


def _keep(batch: list[tuple[UUID, pb.Usage]]) -> None:
    close_old_connections()
    record([sample for node_id, usage in batch for sample in samples_of(node_id, usage)])
    record_ports([sample for node_id, usage in batch for sample in port_samples_of(node_id, usage)])
    record_rules([sample for node_id, usage in batch for sample in rule_samples_of(node_id, usage)])


def _hang_up() -> None:
    """Close the connection in its own thread; the proxy must be looked up there."""
    connection.close()


def samples_of(node_id: UUID, usage: pb.Usage) -> Iterator[Sample]:
    """Return a sample of each guest."""
    at = _moment(usage)
    for guest in usage.guests:
        instance_id = as_uuid(guest.id)
        if instance_id is not None:
            yield _sample(node_id, instance_id, at, guest)


def port_samples_of(node_id: UUID, usage: pb.Usage) -> Iterator[PortSample]:
    """Return a sample of each port of the guests."""
    at = _moment(usage)
    for port in (port for guest in usage.guests for port in guest.ports):
        port_id = as_uuid(port.port_id)
        if port_id is not None:
            yield _port_sample(node_id, port_id, at, port)


def rule_samples_of(node_id: UUID, usage: pb.Usage) -> Iterator[RuleSample]:
    """Return a sample of each rule that a port of the guests counts, of no more than a node may send."""
    at = _moment(usage)
    for port in (port for guest in usage.guests for port in guest.ports):
        port_id = as_uuid(port.port_id)
        for hits in port.rules.hits[:MAX_COUNTED_RULES]:
            rule_id = as_uuid(hits.rule_id)
            if port_id is not None and rule_id is not None:
                yield RuleSample(node_id, port_id, rule_id, at, min(hits.packets, MAX_COUNTER))


def _moment(usage: pb.Usage) -> datetime:
    return datetime.fromtimestamp(min(max(usage.at_unix_ms, 0), MAX_UNIX_MS) / 1000, UTC)


def _sample(node_id: UUID, instance_id: UUID, at: datetime, guest: pb.GuestUsage) -> Sample:
    disks, ports = guest.disks, guest.ports
    names = sorted([*(disk.volume_id for disk in disks), *(port.port_id for port in ports)])
    return Sample(
        node_id=node_id,
        instance_id=instance_id,
        at=at,
        devices=zlib.crc32(" ".join(names).encode()) - 2**31,  # a signed integer
        vcpus=min(guest.vcpus, MAX_VCPUS),
        memory_resident_mib=min(guest.memory_resident_mib, MAX_MIB),
        memory_used_mib=min(guest.memory_used_mib, MAX_MIB) if guest.HasField("memory_used_mib") else None,
        cpu_ns=min(guest.cpu_ns, MAX_COUNTER),
        disk_read_bytes=_sum(disk.read_bytes for disk in disks),
        disk_write_bytes=_sum(disk.written_bytes for disk in disks),
        disk_read_requests=_sum(disk.reads for disk in disks),
        disk_write_requests=_sum(disk.writes for disk in disks),
        network_in_bytes=_sum(port.in_bytes for port in ports),
        network_out_bytes=_sum(port.out_bytes for port in ports),
        network_in_packets=_sum(port.in_packets for port in ports),
        network_out_packets=_sum(port.out_packets for port in ports),
    )


def _port_sample(node_id: UUID, port_id: UUID, at: datetime, port: pb.PortUsage) -> PortSample:
    has_rules = port.HasField("rules")
    return PortSample(
        node_id=node_id,
        port_id=port_id,
        at=at,
        network_in_bytes=min(port.in_bytes, MAX_COUNTER),
        network_out_bytes=min(port.out_bytes, MAX_COUNTER),
        network_in_packets=min(port.in_packets, MAX_COUNTER),
        network_out_packets=min(port.out_packets, MAX_COUNTER),
        network_in_dropped=min(port.in_dropped, MAX_COUNTER) if port.HasField("in_dropped") else None,
        network_out_dropped=min(port.out_dropped, MAX_COUNTER) if port.HasField("out_dropped") else None,
        security_group_in_dropped=min(port.rules.group_in_dropped, MAX_COUNTER) if has_rules else None,
        security_group_out_dropped=min(port.rules.group_out_dropped, MAX_COUNTER) if has_rules else None,
        bandwidth_in_dropped=min(port.rules.bandwidth_in_dropped, MAX_COUNTER) if has_rules else None,
        bandwidth_out_dropped=min(port.rules.bandwidth_out_dropped, MAX_COUNTER) if has_rules else None,
    )


def _sum(counters: Iterator[int]) -> int:
    return min(sum(counters), MAX_COUNTER)
