"""libvirt's secrets for volumes in Ceph clusters: each is there while a guest starts, or a disk is plugged in.

QEMU keeps the key once it has the image open, so libvirt needs it no longer.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import libvirt

from agents.node import domain_xml, process
from agents.node.adapters.storage import monitors
from agents.node.adapters.storage.keys import VolumeKeys
from agents.node.errors import AdapterError, VolumeKeyMissing

log = logging.getLogger(__name__)

TRAIT = "rbd"
QEMU = "qemu-system-x86_64"
NO_CONF = "/nonexistent/ceph.conf"


class VolumeSecrets:
    def __init__(self, keys: VolumeKeys) -> None:
        self._keys = keys

    @contextmanager
    def during(self, connection: Any, disks: Mapping[UUID, Iterable[str]]) -> Iterator[None]:
        """Give libvirt the secrets of these volumes, with the monitors of their clusters, within the block.

        Raises:
            VolumeKeyMissing
            AdapterError: no monitor of a cluster answers.
        """
        try:
            self.give(connection, disks)
            yield
        finally:
            self.take_back(connection, disks)

    def give(self, connection: Any, disks: Mapping[UUID, Iterable[str]]) -> None:
        for volume_id, of_cluster in disks.items():
            key = self._keys.key(volume_id)
            if key is None:
                raise VolumeKeyMissing(volume_id)
            monitors.check(of_cluster)
            connection.secretDefineXML(domain_xml.secret(volume_id), 0).setValue(key, 0)

    def take_back(self, connection: Any, volume_ids: Iterable[UUID]) -> None:
        """Remove the secrets. A failure is logged: libvirt shows them to nobody, and forgets them when it ends."""
        for volume_id in volume_ids:
            try:
                connection.secretLookupByUUID(volume_id.bytes).undefine()
            except libvirt.libvirtError as exc:
                if exc.get_error_code() != libvirt.VIR_ERR_NO_SECRET:
                    facts = {"volume_id": volume_id, "problem": str(exc)}
                    log.warning("secret of the volume not removed", extra={"facts": facts})

    def problem(self, connection: Any) -> str:
        """Return why this node cannot open volumes of Ceph clusters; empty: it can."""
        problem = self._keys.problem()
        if problem:
            return problem
        try:
            connection.numOfSecrets()
        except libvirt.libvirtError as exc:
            return f"libvirt keeps no secrets: {exc}"
        return _driver_problem()


def _driver_problem() -> str:
    """Return the problem of QEMU's driver for RBD, which Debian has in a package of its own; empty: it works.

    A driver that is there complains about its configuration.
    """
    blockdev = f"driver=rbd,node-name=probe,pool=probe,image=probe,conf={NO_CONF}"
    command = [QEMU, "-machine", "none", "-nodefaults", "-display", "none", "-blockdev", blockdev]
    try:
        done = process.run(command, check=False)
    except AdapterError as exc:
        return exc.message
    return "" if NO_CONF in done.stderr.replace(blockdev, "") else f"QEMU has no driver for RBD: {done.stderr[-300:]}"
