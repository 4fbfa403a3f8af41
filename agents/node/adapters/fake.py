"""A node in memory: for fleets larger than one machine can run, and for tests of a misbehaving node.

It gives the guarantees of the real adapters and no more: what is lost when its process ends is lost.
"""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from pathlib import Path
from uuid import UUID

from agents.node.adapters.channel import Channel
from agents.node.adapters.fake_consoles import FakeConsoles
from agents.node.adapters.fake_definitions import Definitions
from agents.node.adapters.fake_engines import FOLDER, engine_of, size_in
from agents.node.adapters.fake_guest_agent import FakeGuestAgent
from agents.node.adapters.fake_hang import Hang
from agents.node.adapters.fake_migrations import FakeMigrations, FakeTunnel
from agents.node.adapters.fake_mirrors import FakeMirrors
from agents.node.adapters.fake_switch import FakeMetadata, FakeSwitch
from agents.node.adapters.fake_transfers import FakeTransfers
from agents.node.adapters.fake_unmanaged import FakeUnmanaged
from agents.node.adapters.fake_usage import usage_of
from agents.node.adapters.interfaces import (
    Adapters,
    ConsoleKind,
    ConsolePart,
    DomainFacts,
    GuestAgent,
    GuestDisk,
    GuestNic,
    GuestSpec,
    GuestState,
    GuestUsage,
    HostFacts,
    ImageFormat,
    IncomingImage,
    NetworkProblems,
    Power,
)
from agents.node.adapters.network_specs import HostName, PortSpec, SegmentSpec
from agents.node.adapters.pools import PoolFacts, Pools
from agents.node.adapters.port_filters import NOTHING_FILTERED, PortCounters
from agents.node.adapters.public_addresses import NOTHING_PUBLIC
from agents.node.adapters.storage.engine import StorageEngine
from agents.node.adapters.storage.places import OWN_FOLDER, Place
from agents.node.domain_xml import SPARE_ROOT_PORTS
from agents.node.errors import (
    AdapterError,
    DetachPending,
    GuestForeign,
    GuestNotRunning,
    NoConsole,
    NoFreeSlot,
    VolumeKeyMissing,
)
from agents.node.metadata.channel import Guest as GuestMetadata

RUNS = (Power.RUNNING, Power.PAUSED)


@dataclass(frozen=True)
class FakeCapacity:
    cores: int = 64
    memory_mib: int = 256 * 1024
    disk_gib: int = 4000
    cpu: str = "fake"


@dataclass(slots=True)
class FakeGuest:
    """A guest.

    `number` counts all guests ever defined here. `running` is the definition it was started with; `restarts` counts its
    reboots and resets, `readings` the samples of its usage since its start.
    """

    spec: GuestSpec
    number: int = 0
    running: GuestSpec | None = None
    power: Power = Power.OFF
    reason: str = ""
    is_reason_known: bool = False
    starts: int = 0
    restarts: int = 0
    readings: int = 0
    is_between: bool = False
    consoles: FakeConsoles | None = None
    agent: FakeGuestAgent = field(default_factory=FakeGuestAgent)

    def stop(self, power: Power, reason: str = "") -> None:
        self.power, self.reason, self.is_reason_known, self.running = power, reason, True, None
        self.agent.is_frozen = False
        if self.consoles is not None:
            self.consoles.stop()
            self.consoles = None


class FakeNode:
    """Hypervisor, disks and switch in one, so that a test sees in one place whether anything is left."""

    def __init__(
        self,
        capacity: FakeCapacity | None = None,
        pools: Pools | None = None,
        *,
        definitions: Path | None = None,
        hangs: Path | None = None,
    ) -> None:
        """Create the node.

        `pools` are real folders, so that several fake nodes share them; so is `definitions`, if given. `hangs`: see
        fake_hang.py.
        """
        self.capacity, self.pools = capacity or FakeCapacity(), pools or Pools()
        self.definitions = Definitions(definitions)
        self.hang = Hang(hangs)
        self.numbers = count()
        self.guests = {guest.id: FakeGuest(guest, next(self.numbers)) for guest in self.definitions.kept()}
        self.volumes: dict[UUID, int] = {}
        self.opened, self.opened_copies = dict[UUID, int](), dict[UUID, int]()
        self.copied: dict[UUID, int] = {}  # the limit of the last copy, in bytes per second; 0: none
        self.ports: dict[UUID, PortSpec] = {}
        self.segments: dict[UUID, SegmentSpec] = {}
        self.metadata: dict[str, GuestMetadata] = {}
        self.names: dict[UUID, tuple[HostName, ...]] = {}
        self.underlay_problem, self.more_traits = "", ("confinement:none",)
        self.network_problems = NetworkProblems()
        self.counters: dict[str, PortCounters] = {}
        self.filters, self.filter_problem, self.public = NOTHING_FILTERED, "", NOTHING_PUBLIC
        self.images: dict[str, int] = {}
        self.consoles: dict[UUID, bytes] = {}
        self.seeds: dict[UUID, Mapping[str, bytes]] = {}
        self.foreign_domains: list[str] = []
        self.foreign_files: list[str] = []
        self.foreign_taps: list[str] = []
        self.unmanaged = FakeUnmanaged(self)
        self.ignore_shutdown, self.ignore_detach = False, False
        self.call_counts: dict[str, int] = defaultdict(int)
        self._failures: dict[str, list[Exception]] = defaultdict(list)
        self._listeners: list[Callable[[UUID], None]] = []
        self._lock = threading.RLock()
        self.tunnel, self.mirrors = FakeTunnel(self), FakeMirrors(self)

    def adapters(self) -> Adapters:
        migrations = FakeMigrations(self.tunnel, self.call)
        switch, metadata = FakeSwitch(self), FakeMetadata(self)
        transfers = FakeTransfers(self.tunnel, self.volumes, self.copied, self.call)
        return Adapters(FakeHypervisor(self), FakeDisks(self), switch, migrations, metadata, self.mirrors, transfers)

    def fail_next(self, call: str, error: Exception) -> None:
        """Make the next adapter call of that name fail; several failures for one name queue up."""
        with self._lock:
            self._failures[call].append(error)

    def crash(self, instance_id: UUID, reason: str = "The guest crashed.") -> None:
        self._stop(instance_id, Power.CRASHED, reason)

    def guest_powers_off(self, instance_id: UUID) -> None:
        """Power the guest off from inside, as `poweroff` does."""
        self._stop(instance_id, Power.OFF, "The guest powered itself off.")

    def keep_disks(self, *, volumes: Mapping[UUID, int], images: Mapping[str, int]) -> None:
        """Cut the power: disks and definitions stay, no guest runs."""
        self.volumes.update(volumes)
        self.images.update(images)

    def print(self, instance_id: UUID, data: bytes) -> None:
        """Print on the guest's serial console, and in its log."""
        with self._lock:
            self.consoles[instance_id] = self.consoles.get(instance_id, b"") + data

    def is_clean(self) -> bool:
        """Return whether no tenant resource is left; cached images may be."""
        return not (self.guests or self.volumes or self.opened or self.opened_copies or self.ports or self.seeds)

    # ---- migrations

    def size_bytes(self, guest_id: UUID) -> int:
        with self._lock:
            spec = self.guests[guest_id].spec
            return spec.memory_mib * 2**20 + sum(self.volumes.get(disk.volume_id, 0) for disk in spec.disks)

    def release_guest(self, guest_id: UUID) -> None:
        with self._lock:
            guest = self.guests.get(guest_id)
            if guest is None or guest.running is None:
                raise AdapterError(f"Guest {guest_id} is not running.", retryable=False)
            self.definitions.forget(guest_id)
            guest.stop(Power.OFF)
            del self.guests[guest_id]
        self.announce(guest_id)

    def accept_guest(self, guest: GuestSpec) -> None:
        """Accept a guest that was started elsewhere, so that it has no `starts` here."""
        with self.call("take_in"):
            check_startable(self, guest)
            taken = FakeGuest(guest, next(self.numbers), running=guest, power=Power.PAUSED, is_reason_known=True)
            taken.is_between = True
            taken.consoles = FakeConsoles(partial(self.print, guest.id))
            self.guests[guest.id] = taken
        self.announce(guest.id)

    def throw_away(self, guest_id: UUID) -> None:
        with self._lock:
            self.definitions.forget(guest_id)
            guest = self.guests.pop(guest_id, None)
            if guest is not None:
                guest.stop(Power.OFF)
        self.announce(guest_id)

    def is_whole(self, guest_id: UUID) -> None:
        with self._lock:
            guest = self.guests[guest_id]
            self.definitions.keep(guest.spec)
            guest.is_between = False

    def wake(self, guest_id: UUID, *, is_off: bool) -> None:
        with self.call("wake"):
            guest = self.guests.get(guest_id)
            if guest is not None and guest.power is Power.PAUSED and is_off:
                guest.stop(Power.OFF)
            elif guest is not None and guest.power is Power.PAUSED:
                guest.power = Power.RUNNING
        self.announce(guest_id)

    @contextmanager
    def call(self, name: str) -> Iterator[None]:
        self.hang.wait(name)
        with self._lock:
            self.call_counts[name] += 1
            if self._failures[name]:
                raise self._failures[name].pop(0)
            yield

    def listen(self, listener: Callable[[UUID], None]) -> None:
        with self._lock:
            self._listeners.append(listener)

    def announce(self, guest_id: UUID) -> None:
        for listener in self._listeners:
            listener(guest_id)

    def _stop(self, instance_id: UUID, power: Power, reason: str) -> None:
        with self._lock:
            self.guests[instance_id].stop(power, reason)
        self.announce(instance_id)


class FakeHypervisor:
    def __init__(self, node: FakeNode) -> None:
        self._node = node

    def host(self) -> HostFacts:
        capacity = self._node.capacity
        traits = ("firmware:bios", "firmware:uefi", "virt-type:qemu", f"cpu:{capacity.cpu}", *self._node.more_traits)
        return HostFacts(capacity.cores, capacity.memory_mib, capacity.cpu, "qemu", traits)

    def probe(self) -> str:
        with self._node.call("probe"):
            return ""

    def define(self, guest: GuestSpec) -> None:
        with self._node.call("define"):
            defined = self._node.guests.get(guest.id)
            if defined is None:
                defined = self._node.guests[guest.id] = FakeGuest(guest, next(self._node.numbers))
            defined.spec = guest
            self._node.definitions.keep(guest)

    def check_domain(self, guest: GuestSpec) -> None:
        defined = self._node.guests.get(guest.id)
        if defined is not None and defined.running not in (None, guest):
            raise GuestForeign(guest.id, "the fake hypervisor runs another one")

    def undefine(self, guest_id: UUID) -> bool:
        with self._node.call("undefine"):
            guest = self._node.guests.get(guest_id)
            if guest is not None and guest.power in RUNS:
                raise AdapterError(f"Guest {guest_id} is running.", retryable=False)
            self._node.definitions.forget(guest_id)
            return self._node.guests.pop(guest_id, None) is not None

    def start(self, guest_id: UUID) -> None:
        with self._node.call("start"):
            guest = self._guest(guest_id)
            if guest.power in RUNS:
                guest.power = Power.RUNNING
                return
            check_startable(self._node, guest.spec)
            guest.power, guest.reason, guest.is_reason_known = Power.RUNNING, "", True
            guest.running, guest.starts, guest.readings = guest.spec, guest.starts + 1, 0
            guest.consoles = FakeConsoles(partial(self._node.print, guest_id))
            self._node.print(guest_id, b"The fake guest has booted.\n")
        self._node.announce(guest_id)

    def bring_up(self, guest_id: UUID) -> None:
        with self._node.call("bring_up"):
            guest = self._guest(guest_id)
            check_startable(self._node, guest.spec)
            guest.power, guest.reason, guest.is_reason_known, guest.running = Power.PAUSED, "", True, guest.spec
        self._node.announce(guest_id)

    def request_shutdown(self, guest_id: UUID) -> None:
        with self._node.call("request_shutdown"):
            guest = self._node.guests.get(guest_id)
            if guest is None or guest.power is not Power.RUNNING or self._node.ignore_shutdown:
                return
            guest.stop(Power.OFF)
        self._node.announce(guest_id)

    def power_off(self, guest_id: UUID) -> None:
        with self._node.call("power_off"):
            guest = self._node.guests.get(guest_id)
            if guest is None or guest.power not in RUNS:
                return
            guest.stop(Power.OFF)
        self._node.announce(guest_id)

    def reboot(self, guest_id: UUID) -> None:
        with self._node.call("reboot"):
            self._guest(guest_id).restarts += 1

    def reset(self, guest_id: UUID) -> None:
        with self._node.call("reset"):
            self._guest(guest_id).restarts += 1

    def state(self, guest_id: UUID) -> GuestState | None:
        with self._node.call("state"):
            guest = self._node.guests.get(guest_id)
            return None if guest is None else _state(guest)

    def states(self) -> Mapping[UUID, GuestState]:
        with self._node.call("states"):
            return {guest_id: _state(guest) for guest_id, guest in self._node.guests.items()}

    def usage(self) -> Mapping[UUID, GuestUsage]:
        """Return the usage; each sample finds a guest as if it had worked 10 s since the one before."""
        with self._node.call("usage"):
            usages: dict[UUID, GuestUsage] = {}
            for guest_id, guest in self._node.guests.items():
                if guest.running is not None:
                    guest.readings += guest.power is Power.RUNNING
                    usages[guest_id] = usage_of(guest.running, guest.number, guest.readings)
            return usages

    def unknown_domains(self) -> Sequence[str]:
        return list(self._node.foreign_domains)

    def domain(self, name: str) -> DomainFacts | None:
        with self._node.call("domain"):
            return self._node.unmanaged.domain(name)

    def pause_domain(self, name: str) -> None:
        with self._node.call("pause_domain"):
            self._node.unmanaged.pause(name)

    def resume_domain(self, name: str) -> None:
        with self._node.call("resume_domain"):
            self._node.unmanaged.resume(name)

    def remove_domain(self, name: str) -> bool:
        with self._node.call("remove_domain"):
            return self._node.unmanaged.remove(name)

    def plugged(self, guest_id: UUID) -> Sequence[str]:
        with self._node.call("plugged"):
            guest = self._node.guests.get(guest_id)
            running = guest.running if guest is not None else None
            return [] if running is None else [*(disk.source for disk in running.disks), str(running.seed)]

    def plug_disk(self, guest_id: UUID, disk: GuestDisk) -> None:
        with self._node.call("plug_disk"):
            guest, running = self._running(guest_id)
            if disk.rbd is not None and disk.volume_id not in self._node.opened:
                raise VolumeKeyMissing(disk.volume_id)
            if disk.volume_id not in {plugged.volume_id for plugged in running.disks}:
                if len(running.disks) > SPARE_ROOT_PORTS:
                    raise NoFreeSlot(guest_id)
                guest.running = replace(running, disks=(*running.disks, disk))

    def unplug_disk(self, guest_id: UUID, disk: GuestDisk) -> bool:
        with self._node.call("unplug_disk"):
            guest, running = self._running(guest_id)
            left = tuple(plugged for plugged in running.disks if plugged.volume_id != disk.volume_id)
            if left == running.disks:
                return False
            if self._node.ignore_detach:
                raise DetachPending(f"Guest {guest_id} has not released volume {disk.volume_id} yet.")
            guest.running = replace(running, disks=left)
            return True

    def plug_card(self, guest_id: UUID, nic: GuestNic) -> None:
        with self._node.call("plug_card"):
            guest, running = self._running(guest_id)
            if nic not in running.nics:
                guest.running = replace(running, nics=(*running.nics, nic))

    def unplug_card(self, guest_id: UUID, device: str) -> bool:
        with self._node.call("unplug_card"):
            guest, running = self._running(guest_id)
            left = tuple(nic for nic in running.nics if nic.device != device)
            if left == running.nics:
                return False
            if self._node.ignore_detach:
                raise DetachPending(f"Guest {guest_id} has not released its network card {device} yet.")
            guest.running = replace(running, nics=left)
            return True

    def grow_disk(self, guest_id: UUID, disk: GuestDisk, size_bytes: int) -> None:
        with self._node.call("grow_disk"):
            self._running(guest_id)
            if disk.path is not None and self._node.pools.has(disk.path):
                disk.path.write_text(str(size_bytes))
            elif disk.rbd is None:
                self._node.volumes[disk.volume_id] = size_bytes

    def limit_disk(self, guest_id: UUID, disk: GuestDisk) -> None:
        with self._node.call("limit_disk"):
            guest, running = self._running(guest_id)
            disks = [disk if each.volume_id == disk.volume_id else each for each in running.disks]
            guest.running = replace(running, disks=tuple(disks))

    def open_console(self, guest_id: UUID, kind: ConsoleKind) -> Channel:
        with self._node.call("open_console"):
            guest, _running = self._running(guest_id)
            if guest.consoles is None:
                raise NoConsole(guest_id, kind)
            return guest.consoles.open(kind)

    def freeze(self, guest_id: UUID, *, answer_s: int) -> int:
        with self._node.call("freeze"):
            return self._with_agent(guest_id).freeze(guest_id)

    def thaw(self, guest_id: UUID, *, answer_s: int) -> int:
        with self._node.call("thaw"):
            return self._with_agent(guest_id).thaw(guest_id)

    def pause(self, guest_id: UUID) -> None:
        with self._node.call("pause"):
            self._with_agent(guest_id)
            self._node.guests[guest_id].power = Power.PAUSED

    def subscribe(self, listener: Callable[[UUID], None]) -> None:
        self._node.listen(listener)

    def close(self) -> None:
        pass

    def _guest(self, guest_id: UUID) -> FakeGuest:
        try:
            return self._node.guests[guest_id]
        except KeyError:
            raise AdapterError(f"Guest {guest_id} is not defined.", retryable=False) from None

    def _with_agent(self, guest_id: UUID) -> FakeGuestAgent:
        guest = self._node.guests.get(guest_id)
        if guest is None or guest.power is not Power.RUNNING:
            raise GuestNotRunning(guest_id)
        return guest.agent

    def _running(self, guest_id: UUID) -> tuple[FakeGuest, GuestSpec]:
        guest = self._guest(guest_id)
        if guest.running is None:
            raise AdapterError(f"Guest {guest_id} is not running.", retryable=False)
        return guest, guest.running


class FakeIncoming:
    def __init__(self, node: FakeNode, sha256: str) -> None:
        self._node = node
        self._sha256 = sha256
        self._size = 0

    def write(self, data: bytes) -> None:
        self._size += len(data)

    def inspect(self, image_format: ImageFormat) -> Mapping[str, object]:
        report: dict[str, object] = {"format": image_format.value, "probed-format": image_format.value}
        report["virtual-size"] = max(512, self._size)
        if image_format is ImageFormat.QCOW2:
            report["format-specific"] = {"type": "qcow2", "data": {"compat": "1.1"}}
        return report

    def keep(self) -> None:
        with self._node.call("keep_image"):
            self._node.images[self._sha256] = self._size


class FakeDisks:
    def __init__(self, node: FakeNode) -> None:
        self._node = node

    def restore(self) -> None:
        """Do nothing: the fake has no half-made files."""

    def capacity_gib(self) -> int:
        return self._node.capacity.disk_gib

    def files(self) -> Sequence[str]:
        volumes = [f"volumes/{volume_id}.qcow2" for volume_id in self._node.volumes]
        return sorted([*volumes, *(f"images/{sha256}" for sha256 in self._node.images), *self._node.foreign_files])

    def image_size_bytes(self, sha256: str) -> int | None:
        return self._node.images.get(sha256)

    @contextmanager
    def receive_image(self, sha256: str) -> Iterator[IncomingImage]:
        yield FakeIncoming(self._node, sha256)

    def remove_image(self, sha256: str) -> bool:
        with self._node.call("remove_image"):
            return self._node.images.pop(sha256, None) is not None

    def folder(self) -> Path:
        return FOLDER

    def pools(self) -> Sequence[PoolFacts]:
        return self._node.pools.current()

    def engine(self, place: Place = OWN_FOLDER, *, key: bytes = b"", is_copy: bool = False) -> StorageEngine:
        return engine_of(self._node, place, is_copy=is_copy)

    def write_seed(self, instance_id: UUID, files: Mapping[str, bytes]) -> Path:
        with self._node.call("write_seed"):
            self._node.seeds[instance_id] = dict(files)
        return Path(f"/fake/instances/{instance_id}/seed.iso")

    def serial_path(self, instance_id: UUID) -> Path:
        return Path(f"/fake/consoles/{instance_id}")

    def console_path(self, instance_id: UUID) -> Path:
        return Path(f"/fake/instances/{instance_id}/console.log")

    def read_console(self, instance_id: UUID, *, offset: int, max_bytes: int) -> ConsolePart:
        console = self._node.consoles.get(instance_id, b"")
        start = min(offset, len(console)) if offset >= 0 else max(0, len(console) + offset)
        return ConsolePart(console[start : start + max_bytes], start, len(console))

    def remove_instance_files(self, instance_id: UUID) -> None:
        with self._node.call("remove_instance_files"):
            self._node.seeds.pop(instance_id, None)
            self._node.consoles.pop(instance_id, None)

    def file_size_bytes(self, name: str) -> int | None:
        return self._node.unmanaged.file_size_bytes(name)

    def set_aside(self, name: str, orphan_id: UUID) -> bool:
        with self._node.call("set_aside"):
            return self._node.unmanaged.set_aside(name, orphan_id)

    def put_back(self, name: str, orphan_id: UUID) -> bool:
        with self._node.call("put_back"):
            return self._node.unmanaged.put_back(name, orphan_id)

    def aside_size_bytes(self, orphan_id: UUID) -> int | None:
        aside = self._node.unmanaged.aside.get(orphan_id)
        return aside.size_bytes if aside is not None else None

    def keep_definition(self, orphan_id: UUID, definition: str) -> None:
        self._node.unmanaged.definitions[orphan_id] = definition

    def remove_aside(self, orphan_id: UUID) -> bool:
        with self._node.call("remove_aside"):
            return self._node.unmanaged.aside.pop(orphan_id, None) is not None


def check_startable(node: FakeNode, spec: GuestSpec) -> None:
    for disk in spec.disks:
        if disk.rbd is not None and disk.volume_id not in node.opened:
            raise VolumeKeyMissing(disk.volume_id)
        is_there = disk.rbd is not None or disk.volume_id in node.volumes
        if not is_there and (disk.path is None or size_in(disk.path) is None):
            raise AdapterError(f"Volume {disk.volume_id} does not exist.", retryable=False)


def _state(guest: FakeGuest) -> GuestState:
    agent = guest.agent.state if guest.power is Power.RUNNING else GuestAgent.UNKNOWN
    return GuestState(guest.power, "qemu", guest.reason, guest.is_reason_known, guest.is_between, agent)
