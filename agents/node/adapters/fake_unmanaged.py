"""Unmanaged resources on a fake node, and its quarantine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from agents.node.adapters.interfaces import GUEST_PREFIX, DomainFacts, Power
from agents.node.adapters.network_specs import tap_name
from agents.node.errors import AdapterError

if TYPE_CHECKING:
    from agents.node.adapters.fake import FakeGuest, FakeNode

FOREIGN_BYTES = 4096
FOREIGN_MEMORY_MIB = 512


@dataclass(frozen=True, slots=True)
class QuarantinedFile:
    name: str
    size_bytes: int


class FakeUnmanaged:
    """Unmanaged resources of the fake.

    `facts`: of foreign domains that are more than a name; a domain without facts runs, and does not concern tenants.
    """

    def __init__(self, node: FakeNode) -> None:
        self._node = node
        self.facts: dict[str, DomainFacts] = {}
        self.paused: set[str] = set()
        self.silent: set[str] = set()
        self.aside: dict[UUID, QuarantinedFile] = {}
        self.definitions: dict[UUID, str] = {}

    # ---- domains

    def domain(self, name: str) -> DomainFacts | None:
        guest = self._guest(name)
        if guest is not None:
            spec = guest.running or guest.spec
            disks = tuple(disk.source for disk in spec.disks)
            return DomainFacts(
                guest.power, spec.memory_mib, _definition(name), disks, tuple(n.bridge for n in spec.nics)
            )
        if name not in self._node.foreign_domains:
            return None
        facts = self.facts.get(name, DomainFacts(Power.RUNNING, FOREIGN_MEMORY_MIB, _definition(name)))
        power = Power.PAUSED if name in self.paused else facts.power
        return DomainFacts(power, facts.memory_mib, facts.definition, facts.disks, facts.bridges)

    def pause(self, name: str) -> None:
        guest = self._guest(name)
        if guest is None:
            self.paused.add(name)
        elif guest.power is Power.RUNNING:
            guest.power = Power.PAUSED

    def resume(self, name: str) -> None:
        guest = self._guest(name)
        if guest is None:
            self.paused.discard(name)
        elif guest.power is Power.PAUSED:
            guest.power = Power.RUNNING

    def remove(self, name: str) -> bool:
        guest = self._guest(name)
        if guest is not None:
            guest.stop(Power.OFF)
            del self._node.guests[guest.spec.id]
            return True
        if name not in self._node.foreign_domains:
            return False
        self._node.foreign_domains.remove(name)
        self.paused.discard(name)
        return True

    def _guest(self, name: str) -> FakeGuest | None:
        if not name.startswith(GUEST_PREFIX):
            return None
        return self._node.guests.get(UUID(name.removeprefix(GUEST_PREFIX)))

    # ---- files

    def file_size_bytes(self, name: str) -> int | None:
        kind, _, file = name.partition("/")
        if name in self._node.foreign_files:
            return FOREIGN_BYTES
        if kind == "images":
            return self._node.images.get(file)
        return self._node.volumes.get(volume_id) if (volume_id := _volume_id(file)) else None

    def set_aside(self, name: str, orphan_id: UUID) -> bool:
        size_bytes = self.file_size_bytes(name)
        if size_bytes is None:
            return False
        self._take(name)
        self.aside[orphan_id] = QuarantinedFile(name, size_bytes)
        return True

    def put_back(self, name: str, orphan_id: UUID) -> bool:
        resource = self.aside.get(orphan_id)
        if resource is None:
            return False
        if self.file_size_bytes(name) is not None:
            raise AdapterError(f"Another resource now has the name {name}.", retryable=False)
        del self.aside[orphan_id]
        kind, _, file = name.partition("/")
        volume_id = _volume_id(file)
        if kind == "images" and not file.count("."):
            self._node.images[file] = resource.size_bytes
        elif volume_id is not None:
            self._node.volumes[volume_id] = resource.size_bytes
        else:
            self._node.foreign_files.append(name)
        return True

    def _take(self, name: str) -> None:
        if name in self._node.foreign_files:
            self._node.foreign_files.remove(name)
            return
        kind, _, file = name.partition("/")
        volume_id = _volume_id(file)
        if kind == "images":
            del self._node.images[file]
        elif volume_id is not None:
            del self._node.volumes[volume_id]

    # ---- taps

    def taps(self) -> dict[str, str]:
        """Return the taps: fake guests have none of their own, a port's tap exists as long as the port."""
        own = {tap_name(port.id): port.mac for port in self._node.ports.values()}
        return own | dict.fromkeys(self._node.foreign_taps, "52:54:00:00:00:99")

    def silence(self, device: str) -> bool:
        self.silent.add(device)
        return device in self.taps()

    def remove_tap(self, device: str) -> bool:
        if device not in self._node.foreign_taps:
            return False
        self._node.foreign_taps.remove(device)
        return True


def _definition(name: str) -> str:
    return f"<domain><name>{name}</name></domain>"


def _volume_id(file: str) -> UUID | None:
    try:
        return UUID(file.removesuffix(".qcow2"))
    except ValueError:
        return None
