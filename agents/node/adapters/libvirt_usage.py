"""Convert libvirt's statistics of a domain to the usage of a guest."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePath
from typing import Any
from uuid import UUID

import libvirt

from agents.node import domain_xml
from agents.node.adapters.interfaces import DiskUsage, GuestUsage, NicUsage
from agents.node.domain_xml import BALLOON_PERIOD_S

GROUPS = (
    libvirt.VIR_DOMAIN_STATS_CPU_TOTAL
    | libvirt.VIR_DOMAIN_STATS_BALLOON
    | libvirt.VIR_DOMAIN_STATS_VCPU
    | libvirt.VIR_DOMAIN_STATS_INTERFACE
    | libvirt.VIR_DOMAIN_STATS_BLOCK
)
# A guest that is being changed, or whose QEMU does not answer, is not waited for: its statistics are incomplete.
WHICH = libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_ACTIVE | libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT
# An older report of the balloon driver is not used.
BALLOON_STALE_S = 3 * BALLOON_PERIOD_S

Stats = Mapping[str, Any]


def guest_usage(stats: Stats, *, now_s: float, definition: Callable[[], str]) -> GuestUsage | None:
    """Return the usage; None if a counter is missing that every guest has when libvirt could query its QEMU.

    `definition`: returns the guest's XML, which is read for disks in clusters only.
    """
    try:
        return GuestUsage(
            vcpus=stats["vcpu.current"],
            cpu_ns=stats["cpu.time"],
            memory_resident_mib=_mib(stats["balloon.rss"]),
            memory_used_mib=_used_mib(stats, now_s),
            disks=tuple(_disks(stats, definition)),
            nics=tuple(_nics(stats)),
        )
    except KeyError:
        return None


def _used_mib(stats: Stats, now_s: float) -> int | None:
    """Return the used memory: the memory of the guest's kernel without what it could give to a new program."""
    spare = stats.get("balloon.usable", stats.get("balloon.unused"))
    available = stats.get("balloon.available")
    if spare is None or available is None or now_s - stats.get("balloon.last-update", 0) > BALLOON_STALE_S:
        return None
    return _mib(max(available - spare, 0))


def _disks(stats: Stats, definition: Callable[[], str]) -> Iterator[DiskUsage]:
    """Return the counters of its volumes, without the seed. The statistics of a disk in a cluster name no source."""
    numbers = range(stats["block.count"])
    has_all_paths = all(f"block.{number}.path" in stats for number in numbers)
    sources = {} if has_all_paths else domain_xml.sources_by_target(definition())
    for number in numbers:
        disk = f"block.{number}"
        volume_id = _volume_id(stats.get(f"{disk}.path") or sources.get(stats[f"{disk}.name"], ""))
        if volume_id is not None:
            yield DiskUsage(
                volume_id=volume_id,
                read_bytes=stats[f"{disk}.rd.bytes"],
                written_bytes=stats[f"{disk}.wr.bytes"],
                reads=stats[f"{disk}.rd.reqs"],
                writes=stats[f"{disk}.wr.reqs"],
            )


def _nics(stats: Stats) -> Iterator[NicUsage]:
    """Return the counters of the cards. libvirt reverses the tap's directions: rx is the guest's received traffic."""
    for number in range(stats["net.count"]):
        nic = f"net.{number}"
        yield NicUsage(
            device=stats[f"{nic}.name"],
            in_bytes=stats[f"{nic}.rx.bytes"],
            out_bytes=stats[f"{nic}.tx.bytes"],
            in_packets=stats[f"{nic}.rx.pkts"],
            out_packets=stats[f"{nic}.tx.pkts"],
            in_dropped=stats[f"{nic}.rx.drop"],
            out_dropped=stats[f"{nic}.tx.drop"],
        )


def _volume_id(path: str) -> UUID | None:
    try:
        return UUID(PurePath(path).stem)
    except ValueError:
        return None


def _mib(kib: int) -> int:
    return round(kib / 1024)
