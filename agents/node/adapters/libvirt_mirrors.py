"""Mirrors of disks of running guests, by the block copy of libvirt and QEMU.

The target exists before the copy, with a format that is given and never guessed, and without a layer below. QEMU
writes zeros, or holes, where the source has holes, so that what was in the target before is not in it afterwards.
"""

import json
import time
from typing import Any
from xml.etree import ElementTree

import libvirt
import libvirt_qemu

from agents.node import domain_xml
from agents.node.adapters.libvirt import LibvirtHypervisor, find, unless_gone
from agents.node.adapters.mirrors import Mirrored, MirrorPhase, MirrorState
from agents.node.errors import AdapterError

ABORT_WITHIN_S = 10.0
POLL_S = 0.05
# The target is there already. Copies do not outlive QEMU: what they are is in the agent's state store.
FLAGS = libvirt.VIR_DOMAIN_BLOCK_COPY_REUSE_EXT | libvirt.VIR_DOMAIN_BLOCK_COPY_TRANSIENT_JOB
IN_BYTES = libvirt.VIR_DOMAIN_BLOCK_JOB_SPEED_BANDWIDTH_BYTES


class LibvirtMirrors:
    def __init__(self, hypervisor: LibvirtHypervisor) -> None:
        self._hypervisor = hypervisor

    def state(self, mirrored: Mirrored) -> MirrorState:
        with self._hypervisor.connection.use() as connection:
            return _state(find(connection, mirrored.guest_id), mirrored)

    def process_has_target(self, mirrored: Mirrored) -> bool:
        with self._hypervisor.connection.use() as connection:
            domain, volume_id = find(connection, mirrored.guest_id), str(mirrored.source.volume_id)
            if domain is None:
                raise AdapterError(f"Guest {mirrored.guest_id} is not defined.", retryable=True)
            answer = json.loads(libvirt_qemu.qemuMonitorCommand(domain, json.dumps({"execute": "query-block"}), 0))
        inserted = [each["inserted"] for each in answer.get("return", []) if "inserted" in each]
        of_volume = [each for each in inserted if volume_id in each["image"]["filename"]]
        if len(of_volume) != 1:
            raise AdapterError(f"QEMU of guest {mirrored.guest_id} does not name volume {volume_id}.", retryable=True)
        is_file = of_volume[0]["drv"] == "qcow2"
        return bool(is_file == (mirrored.target.rbd is None))

    def begin(self, mirrored: Mirrored, *, max_bytes_per_s: int) -> None:
        of_cluster = {each.volume_id: each.rbd.monitors for each in (mirrored.target,) if each.rbd is not None}
        with self._hypervisor.connection.use() as connection:
            domain, device = _plugged(connection, mirrored)
            limit = {libvirt.VIR_DOMAIN_BLOCK_COPY_BANDWIDTH: max_bytes_per_s} if max_bytes_per_s else {}
            target = domain_xml.disk_text(mirrored.target, target=device)
            with self._hypervisor.secrets.during(connection, of_cluster):
                domain.blockCopy(device, target, limit, FLAGS)

    def limit(self, mirrored: Mirrored, max_bytes_per_s: int) -> None:
        with self._hypervisor.connection.use() as connection:
            domain, device = _plugged(connection, mirrored)
            domain.blockJobSetSpeed(device, max_bytes_per_s, IN_BYTES)

    def pivot(self, mirrored: Mirrored) -> None:
        pivot = libvirt.VIR_DOMAIN_BLOCK_JOB_ABORT_PIVOT | libvirt.VIR_DOMAIN_BLOCK_JOB_ABORT_ASYNC
        with self._hypervisor.connection.use() as connection:
            domain, device = _plugged(connection, mirrored)
            domain.blockJobAbort(device, pivot)

    def abort(self, mirrored: Mirrored) -> None:
        deadline = time.monotonic() + ABORT_WITHIN_S
        with self._hypervisor.connection.use() as connection:
            while True:
                domain = find(connection, mirrored.guest_id)
                phase = _state(domain, mirrored).phase
                if phase in (MirrorPhase.GONE, MirrorPhase.NONE):
                    return
                if phase is MirrorPhase.PIVOTED:
                    volume_id = mirrored.source.volume_id
                    raise AdapterError(
                        f"Guest {mirrored.guest_id} has the copy of volume {volume_id} by now.", retryable=False
                    )
                if time.monotonic() >= deadline:
                    raise AdapterError(
                        f"The mirror of volume {mirrored.source.volume_id} does not end yet.", retryable=True
                    )
                if phase is not MirrorPhase.ENDING:
                    _, device = _plugged(connection, mirrored)
                    domain.blockJobAbort(device, libvirt.VIR_DOMAIN_BLOCK_JOB_ABORT_ASYNC)
                time.sleep(POLL_S)


def _state(domain: Any, mirrored: Mirrored) -> MirrorState:
    if not _is_active(domain):
        return MirrorState(MirrorPhase.GONE)
    try:
        plugged = domain_xml.plugged_disks(domain.XMLDesc())
        element = plugged.get(mirrored.source.source)
        if element is None:
            is_there = mirrored.target.source in plugged
            return MirrorState(MirrorPhase.PIVOTED if is_there else MirrorPhase.GONE)
        mirror = element.find("mirror")
        if mirror is None:
            return MirrorState(MirrorPhase.NONE)
        _check_target(mirror, mirrored)
        job = domain.blockJobInfo(_device(element)) or {}
    except libvirt.libvirtError:
        if not _is_active(domain):
            return MirrorState(MirrorPhase.GONE)
        raise
    return MirrorState(_phase(mirror), int(job.get("end", 0)), int(job.get("cur", 0)))


def _is_active(domain: Any) -> bool:
    return domain is not None and bool(unless_gone(domain.isActive))


def _phase(mirror: ElementTree.Element) -> MirrorPhase:
    """Return the phase of a mirror that is there. `ready` is "yes", or what the mirror ends with."""
    ready = mirror.get("ready")
    if ready is None:
        return MirrorPhase.COPYING
    return MirrorPhase.READY if ready == "yes" else MirrorPhase.ENDING


def _check_target(mirror: ElementTree.Element, mirrored: Mirrored) -> None:
    source = mirror.find("source")
    if source is None or domain_xml.place(source) != mirrored.target.source:
        raise AdapterError(
            f"Volume {mirrored.source.volume_id} is copied to another place, not by this agent.", retryable=False
        )


def _plugged(connection: Any, mirrored: Mirrored) -> tuple[Any, str]:
    """Return the domain, and its name of the disk.

    Raises:
        AdapterError: the guest does not run, or not with the source.
    """
    domain = find(connection, mirrored.guest_id)
    plugged = domain_xml.plugged_disks(domain.XMLDesc()) if _is_active(domain) else {}
    element = plugged.get(mirrored.source.source)
    if element is None:
        raise AdapterError(
            f"Guest {mirrored.guest_id} does not run with volume {mirrored.source.volume_id}.", retryable=True
        )
    return domain, _device(element)


def _device(element: ElementTree.Element) -> str:
    target = element.find("target")
    return target.get("dev", "") if target is not None else ""
