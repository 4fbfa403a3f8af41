"""What the agent's services ask of a hypervisor, of disks and of a network, and in which terms.

Every method may be repeated and finds its effect already there; failures are AdapterError.
Implementations are thread-safe: services serialise the calls on one resource, not those on different ones.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Protocol
from uuid import UUID

from agents.node.adapters.channel import Channel
from agents.node.adapters.pools import PoolFacts

# ---- network


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """A tenant network; its `gateway_ip` is answered by the node itself."""

    id: UUID
    cidr: IPv4Network
    gateway_ip: IPv4Address
    dns_servers: tuple[IPv4Address, ...]
    mtu: int


@dataclass(frozen=True, slots=True)
class PortSpec:
    id: UUID
    network: NetworkSpec
    mac: str
    ip: IPv4Address
    hostname: str


@dataclass(frozen=True, slots=True)
class SegmentSpec:
    """How a network reaches the other nodes of the zone that carry it. `vni` is the same on all of them; `local` and
    `peers` are underlay addresses."""

    vni: int
    local: IPv4Address
    peers: tuple[IPv4Address, ...]


def tap_name(port_id: UUID) -> str:
    """Device names hold 15 characters. The head of a UUIDv7 is time and repeats; its tail is random."""
    return f"tap{port_id.hex[-11:]}"


def bridge_name(network_id: UUID) -> str:
    return f"br{network_id.hex[-11:]}"


@dataclass(frozen=True, slots=True)
class NetworkProblems:
    """What is wrong with the node's part of all networks, in words for an operator; empty: nothing.

    The words stay the same as long as the problem lasts."""

    rules: str = ""
    connections: str = ""


class RuleGuard(Protocol):
    def stop(self) -> None: ...


class Switch(Protocol):
    """Bridges, gateways, DHCP, anti-spoofing. The hypervisor makes the tap and plugs it into the bridge."""

    def ensure_port(self, port: PortSpec, others: Sequence[PortSpec]) -> None:
        """Make the network ready and admit the port to it; `others` are its other ports on this node."""

    def remove_port(self, port: PortSpec, others: Sequence[PortSpec]) -> None:
        """Forget the port; when no `others` are left on its network, the network goes from this node."""

    def ensure_segment(self, network: NetworkSpec, segment: SegmentSpec | None) -> str:
        """Connect a network that has ports here with exactly these peers; None: with nobody.

        Says what is wrong with the underlay, in words for an operator; empty: nothing.
        """

    def restore(self, ports: Sequence[PortSpec], segments: Mapping[UUID, SegmentSpec]) -> None:
        """Make everything so again at the agent's start; networks without ports are removed. `segments`: by network."""

    def guard(self) -> RuleGuard:
        """From the end of `restore` until the guard is stopped, rules that somebody else removes are written again."""

    def problems(self) -> NetworkProblems:
        """Answers at once."""

    def taps(self) -> Mapping[str, str]:
        """The MAC addresses of all devices that are called as a guest's, whoever made them, by the device."""

    def silence_tap(self, device: str) -> bool:
        """Nothing goes through it any more; False when there is no such device."""

    def open_tap(self, device: str) -> bool: ...

    def remove_tap(self, device: str) -> bool: ...


# ---- disks


class ImageFormat(StrEnum):
    QCOW2 = "qcow2"
    RAW = "raw"


class IncomingImage(Protocol):
    """Bytes on their way into the image cache. Nothing of them is left unless `keep` was called."""

    def write(self, data: bytes) -> None: ...

    def inspect(self, image_format: ImageFormat) -> Mapping[str, object]:
        """What `qemu-img info --output=json` says when it must read the bytes as `image_format`.

        The extra key "probed-format" says what the same tool takes the bytes for when nobody tells it.
        Raises AdapterError when the tool fails or exceeds its limits.
        """

    def keep(self) -> None:
        """Make the bytes durable, read-only and visible under their digest, in one step."""


class Disks(Protocol):
    """Files of the node: cached images, volumes, and what belongs to one instance (seed and console log)."""

    def restore(self) -> None:
        """At the agent's start: remove what interrupted calls have left half made."""

    def capacity_gib(self) -> int: ...

    def files(self) -> Sequence[str]:
        """volumes/<id>.qcow2 and images/<sha256> for all that is in the node's own folder, whoever made it; not what is
        half made."""

    def image_size_bytes(self, sha256: str) -> int | None:
        """Size of the cached file; None when the image is not cached."""

    def image_path(self, sha256: str) -> Path: ...

    def receive_image(self, sha256: str) -> AbstractContextManager[IncomingImage]: ...

    def remove_image(self, sha256: str) -> bool: ...

    # `pool`: name of the pool that has the volume's file; empty: the node's own folder.

    def pools(self) -> Sequence[PoolFacts]:
        """Those that are there now. Answers at once."""

    def volume_path(self, volume_id: UUID, pool: str = "") -> Path:
        """Raises AdapterError when the pool is not there."""

    def volume_size_bytes(self, volume_id: UUID, pool: str = "") -> int | None:
        """Size that a guest sees; None when there is no such volume."""

    def create_volume(self, volume_id: UUID, *, size_bytes: int, base: "BaseImage | None", pool: str = "") -> None:
        """A volume appears whole or not at all. With `base` it is a copy-on-write clone of that image; in a pool, where
        other nodes open it too, a whole copy. One that is there meanwhile stays as it is."""

    def grow_volume(self, volume_id: UUID, size_bytes: int, pool: str = "") -> None:
        """Only while no guest has the volume open; otherwise `Hypervisor.grow_disk` does it."""

    def remove_volume(self, volume_id: UUID, pool: str = "") -> bool: ...

    def write_seed(self, instance_id: UUID, files: Mapping[str, bytes]) -> Path:
        """The NoCloud medium with these files; an unchanged one is left alone, a guest keeps its old one."""

    def console_path(self, instance_id: UUID) -> Path: ...

    def serial_path(self, instance_id: UUID) -> Path:
        """Where the guest's serial console listens while it runs, for the agent alone."""

    def read_console(self, instance_id: UUID, *, offset: int, max_bytes: int) -> "ConsolePart":
        """A negative `offset` counts from the end. An instance that never ran has an empty console."""

    def remove_instance_files(self, instance_id: UUID) -> None: ...

    def file_size_bytes(self, name: str) -> int | None:
        """`name`: as files() has it. A folder counts with all that is in it; a link by itself."""

    def set_aside(self, name: str, finding_id: UUID) -> bool:
        """Move the file of files() into the quarantine, in one step; whoever has it open keeps it. False: there is
        none."""

    def put_back(self, name: str, finding_id: UUID) -> bool:
        """The reverse. Raises AdapterError when something else has taken its place."""

    def aside_size_bytes(self, finding_id: UUID) -> int | None: ...

    def keep_definition(self, finding_id: UUID, definition: str) -> None:
        """Beside what lies in quarantine, as a file of its own."""

    def remove_aside(self, finding_id: UUID) -> bool:
        """Unlink what is in quarantine. The definition of a domain stays."""


@dataclass(frozen=True, slots=True)
class BaseImage:
    sha256: str
    format: ImageFormat


@dataclass(frozen=True, slots=True)
class ConsolePart:
    data: bytes
    offset: int
    total_bytes: int


class ConsoleKind(StrEnum):
    SERIAL = "serial"
    VNC = "vnc"


# ---- hypervisor

GUEST_PREFIX = "andromede-"


class Power(StrEnum):
    RUNNING = "running"
    SHUTDOWN = "shutdown"  # wish only
    OFF = "off"
    PAUSED = "paused"  # observed only
    CRASHED = "crashed"  # observed only


class Firmware(StrEnum):
    BIOS = "bios"
    UEFI = "uefi"


@dataclass(frozen=True, slots=True)
class GuestDisk:
    """`image`: the file that the volume is a layer over; None: it is whole."""

    volume_id: UUID
    path: Path
    is_read_only: bool = False
    image: Path | None = None
    image_format: ImageFormat = ImageFormat.QCOW2

    @property
    def serial(self) -> str:
        return disk_serial(self.volume_id)


@dataclass(frozen=True, slots=True)
class GuestNic:
    device: str
    bridge: str
    mac: str
    mtu: int


@dataclass(frozen=True, slots=True)
class GuestSpec:
    """All that a hypervisor must know of a guest. `disks` starts with the root disk. `user`: the number of the user and
    of the group that it runs as; None: those that the hypervisor has for all."""

    id: UUID
    project_id: UUID
    vcpus: int
    memory_mib: int
    firmware: Firmware
    disks: tuple[GuestDisk, ...]
    nics: tuple[GuestNic, ...]
    seed: Path
    console_log: Path
    serial_socket: Path
    user: int | None = None


@dataclass(frozen=True, slots=True)
class GuestState:
    """`reason` is empty, or says why a guest is not running although nobody stopped it through the agent.

    `is_reason_known` is False for a guest that is off and has not run yet, or whose reason the hypervisor
    has forgotten, as after a restart of the node. `is_between`: it is just being started, or its memory comes or goes.
    """

    power: Power
    virt_type: str
    reason: str = ""
    is_reason_known: bool = True
    is_between: bool = False


CONFINEMENT = "confinement:"  # trait: by which kernel module guests are confined, "none" if by none


@dataclass(frozen=True, slots=True)
class HostFacts:
    cores: int
    memory_mib: int
    cpu_model: str
    virt_type: str
    traits: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DiskUsage:
    volume_id: UUID
    read_bytes: int
    written_bytes: int
    reads: int
    writes: int


@dataclass(frozen=True, slots=True)
class NicUsage:
    """Seen from the guest: in is what it received."""

    device: str
    in_bytes: int
    out_bytes: int
    in_packets: int
    out_packets: int


@dataclass(frozen=True, slots=True)
class GuestUsage:
    """Counters since the guest's start. `memory_used_mib`: None where the guest has no balloon driver that says it."""

    vcpus: int
    cpu_ns: int
    memory_resident_mib: int
    memory_used_mib: int | None
    disks: tuple[DiskUsage, ...]
    nics: tuple[NicUsage, ...]


@dataclass(frozen=True, slots=True)
class DomainFacts:
    """Of any domain, whoever made it. `disks`: where they come from, paths mostly; `bridges`: where its cards are."""

    power: Power
    memory_mib: int
    definition: str
    disks: tuple[str, ...] = ()
    bridges: tuple[str, ...] = ()


class Hypervisor(Protocol):
    def host(self) -> HostFacts: ...

    def probe(self) -> str:
        """Run a guest of no memory worth speaking of to its end, as new guests run. Empty when it did; else why not."""

    def define(self, guest: GuestSpec) -> None:
        """Store the definition. A running guest takes it up at its next start."""

    def check_domain(self, guest: GuestSpec) -> None:
        """Of a guest that is on: it is as `define` would have it.

        Raises:
            GuestForeign: it is not. One that is off, or not there, is no concern: it starts from what `define` stores.
        """

    def undefine(self, guest_id: UUID) -> bool:
        """Forget a guest that is off; False when it was not defined."""

    def start(self, guest_id: UUID) -> None: ...

    def bring_up(self, guest_id: UUID) -> None:
        """Give a guest that is off its memory and its devices, so that it can be sent. It stands still, and has run no
        instruction."""

    def request_shutdown(self, guest_id: UUID) -> None:
        """Press the power button (ACPI) and return."""

    def power_off(self, guest_id: UUID) -> None: ...

    def reboot(self, guest_id: UUID) -> None:
        """Ask the guest to reboot (ACPI) and return."""

    def reset(self, guest_id: UUID) -> None: ...

    def state(self, guest_id: UUID) -> GuestState | None: ...

    def states(self) -> Mapping[UUID, GuestState]:
        """Of all domains that bear a guest's name."""

    def usage(self) -> Mapping[UUID, GuestUsage]:
        """Of all guests that are on, by one call that waits for none of them: one that is busy is left out."""

    def unknown_domains(self) -> Sequence[str]:
        """Names of domains that bear no guest's name."""

    def domain(self, name: str) -> DomainFacts | None:
        """None: there is none of that name."""

    def pause_domain(self, name: str) -> None:
        """It stands still, its memory as it was, and does not start with the hypervisor. One that is off stays so."""

    def resume_domain(self, name: str) -> None:
        """It goes on if it stands still."""

    def remove_domain(self, name: str) -> bool:
        """End it and forget its definition; False when there was none. Its disks stay."""

    def plugged(self, guest_id: UUID) -> Sequence[str]:
        """Where the disks of a guest that runs come from, paths mostly; none of a guest that is off."""

    def plug_disk(self, guest_id: UUID, disk: GuestDisk) -> None:
        """Hot-plug into the running guest; its stored definition is `define`'s business."""

    def unplug_disk(self, guest_id: UUID, disk: GuestDisk) -> bool:
        """Hot-unplug from the running guest; False when it was not plugged in. Raises DetachPending."""

    def grow_disk(self, guest_id: UUID, disk: GuestDisk, size_bytes: int) -> None:
        """Grow a disk of a running guest, which sees it at once."""

    def open_console(self, guest_id: UUID, kind: ConsoleKind) -> Channel:
        """A connection to a console of the guest that runs. A serial console has one at a time: the agent's; a display
        as many as are opened.

        Raises:
            NoConsole: it was started without one.
        """

    def subscribe(self, listener: Callable[[UUID], None]) -> None:
        """Call `listener(guest_id)` after each change of a guest's state. It must return at once."""

    def close(self) -> None: ...


# ---- guests on the move


class MigrationPhase(StrEnum):
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class MigrationTarget:
    """To another node: where its agent said that it is found, and the SHA-256 of the certificate that it must show."""

    uri: str
    certificate_sha256: str


class Convergence(StrEnum):
    """What is done about a guest that writes faster than it can be sent: it is slowed down, or nothing."""

    AUTO_CONVERGE = "auto_converge"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class MigrationOptions:
    """How a guest is sent. `max_pause_ms`: how long it may stand still at the end; 0: the hypervisor's default."""

    max_pause_ms: int = 0
    convergence: Convergence = Convergence.AUTO_CONVERGE


@dataclass(frozen=True, slots=True)
class MigrationProgress:
    """Of memory and disks, as far as is known."""

    total_bytes: int = 0
    moved_bytes: int = 0


@dataclass(frozen=True, slots=True)
class MigrationResult:
    """A guest that has left. `pause_ms`: how long it stood still."""

    progress: MigrationProgress
    pause_ms: int


class Migrations(Protocol):
    """Guests go from this node to another, and come from there, while they run; or while they are off.

    Wherever a move ends, the guest runs at most once: it goes on at its destination only after its source has let go of
    it, and at its source only if it was not let go of.
    """

    def accepts_incoming(self) -> bool:
        """Whether guests of other nodes may come here at all."""

    def expect(self, guest: GuestSpec, certificate_sha256: str, *, is_off: bool) -> str:
        """From now on the guest may come, from the node with that certificate. Answers where that node finds this one.
        `is_off`: when it has come, it is off.

        Raises:
            AdapterError: this node takes in no guests.
        """

    def refuse(self, guest_id: UUID) -> None:
        """The guest may not come any more. What has come of it stays with the hypervisor."""

    def send(self, guest_id: UUID, route: MigrationTarget, manner: MigrationOptions) -> MigrationResult:
        """Move the guest; returns when it runs at its destination, or stands still there, and is gone here. One that
        stands still here, since `bring_up`, stands still wherever it ends.

        Raises:
            MigrationCancelled: by `cancel`; the guest goes on here.
            Stopping: `close` was called; the move may go on, or has been broken off.
            AdapterError: it failed; the guest goes on here.
        """

    def cancel(self, guest_id: UUID) -> None:
        """Break the guest's move off if it is on its way and not let go of yet; returns at once."""

    def progress(self, guest_id: UUID) -> MigrationProgress | None:
        """None when the guest is not on its way from here, whoever began it."""

    def close(self) -> None: ...


def guest_name(guest_id: UUID) -> str:
    """What the hypervisor calls the guest; never anything that a tenant has chosen."""
    return f"{GUEST_PREFIX}{guest_id}"


def disk_serial(volume_id: UUID) -> str:
    """What a guest reads as the disk's serial number: virtio-blk carries at most 20 characters."""
    return volume_id.hex[:20]


@contextmanager
def always(guest_id: UUID) -> Iterator[bool]:
    yield True


@dataclass(slots=True)
class Restarts:
    """Asked by a hypervisor that restarts a guest by itself, as after a failure of KVM.

    `guard(guest_id)` is a context: within it nobody else changes the guest, and its value says whether the guest is
    still to run. It waits for calls in progress, so it is not for the threads of libvirt's events.
    """

    guard: Callable[[UUID], AbstractContextManager[bool]] = always


@dataclass(frozen=True, slots=True)
class Adapters:
    hypervisor: Hypervisor
    disks: Disks
    switch: Switch
    migrations: Migrations
    restarts: Restarts = field(default_factory=Restarts)
