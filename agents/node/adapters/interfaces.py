"""Interfaces of hypervisor, disks and network, as the agent's services use them.

Every method may be repeated and then finds its effect already there; failures are AdapterError. Implementations are
thread-safe: services serialise the calls on one resource, not those on different ones.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Address
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from agents.node.adapters.channel import Channel
from agents.node.adapters.migrations import Migrations
from agents.node.adapters.network_specs import HostName, NetworkSpec, PortSpec, SegmentSpec
from agents.node.adapters.pools import PoolFacts
from agents.node.adapters.storage.places import OWN_FOLDER, Place, RbdSource
from agents.node.metadata.channel import Guest as GuestMetadata

if TYPE_CHECKING:
    from agents.node.adapters.mirrors import Mirrors
    from agents.node.adapters.port_filters import PortCounters, PortFilters
    from agents.node.adapters.public_addresses import PublicAddresses
    from agents.node.adapters.storage.engine import StorageEngine
    from agents.node.adapters.transfers import Transfers

# ---- network


@dataclass(frozen=True, slots=True)
class NetworkProblems:
    """Problems of the node's part of all networks, in words for an operator; empty: none.

    The words stay the same as long as the problem lasts.
    """

    rules: str = ""
    connections: str = ""


class RuleGuard(Protocol):
    def stop(self) -> None: ...


class Switch(Protocol):
    """Bridges, gateways, DHCP, anti-spoofing. The hypervisor makes the tap and plugs it into the bridge."""

    def ensure_port(self, port: PortSpec, others: Sequence[PortSpec]) -> None:
        """Make the network ready and admit the port to it; `others` are its other ports on this node."""

    def remove_port(self, port: PortSpec, others: Sequence[PortSpec]) -> None:
        """Remove the port; when no `others` are left on its network, the network is removed from this node."""

    def ensure_segment(self, network: NetworkSpec, segment: SegmentSpec | None) -> str:
        """Connect a network that has ports here with exactly these peers; None: with no peer.

        Returns the problem of the underlay, in words for an operator; empty: none.
        """

    def ensure_filters(self, filters: "PortFilters") -> str:
        """Filter exactly these ports by their security groups; a port may be unknown to `ensure_port` yet.

        Returns the problem, in words for an operator; empty: none. A port that cannot be filtered is cut off.
        """

    def ensure_public(self, public: "PublicAddresses") -> str:
        """Give the ports here exactly these public addresses; a port may be unknown to `ensure_port` yet.

        Returns the problem, in words for an operator; empty: none.
        """

    def ensure_names(self, network: NetworkSpec, names: Sequence[HostName]) -> None:
        """Answer for exactly these names in a network that has ports here, and for their addresses."""

    def restore(
        self,
        ports: Sequence[PortSpec],
        segments: Mapping[UUID, SegmentSpec],
        filters: "PortFilters",
        public: "PublicAddresses",
    ) -> None:
        """Restore all networks at the agent's start; networks without ports are removed. `segments`: by network."""

    def guard(self) -> RuleGuard:
        """Start the guard after `restore`: until its stop, rules that another program removes are written again."""

    def problems(self) -> NetworkProblems:
        """Return the problems at once, without waiting."""

    def counters(self) -> Mapping[str, "PortCounters"]:
        """Return what rules have counted of the ports, by device; a port is left out if no rule counts it."""

    def connect_tcp(self, port: PortSpec, address: IPv4Address, tcp_port: int, *, timeout_s: float) -> Channel:
        """Connect to a guest at an address of its port here, from the router of its network.

        Raises:
            ConnectionRefusedError
            TimeoutError: nothing answers.
        """

    def taps(self) -> Mapping[str, str]:
        """Return the MAC addresses of all devices that are named as a guest's tap, unmanaged ones too, by device."""

    def silence_tap(self, device: str) -> bool:
        """Block all traffic of the tap; False when the device does not exist."""

    def open_tap(self, device: str) -> bool: ...

    def remove_tap(self, device: str) -> bool: ...


class Metadata(Protocol):
    """Metadata that guests may read about themselves, from inside."""

    def publish(self, guest: GuestMetadata) -> None:
        """Let the guest read this, instead of what it could before."""

    def withdraw(self, guest_id: str) -> None: ...

    def close(self) -> None: ...


# ---- disks


class ImageFormat(StrEnum):
    QCOW2 = "qcow2"
    RAW = "raw"


class IncomingImage(Protocol):
    """Bytes on their way into the image cache; they are deleted unless `keep` was called."""

    def write(self, data: bytes) -> None: ...

    def inspect(self, image_format: ImageFormat) -> Mapping[str, object]:
        """Return the output of `qemu-img info --output=json` for `image_format`.

        The extra key "probed-format" is the format that the same tool detects by itself. Raises AdapterError when the
        tool fails or exceeds its limits.
        """

    def keep(self) -> None:
        """Make the bytes durable, read-only and visible under their digest, in one step."""


class Disks(Protocol):
    """Volumes, by engine, and files of the node: cached images, and the seed and console log of each instance."""

    def restore(self) -> None:
        """Remove the half-made files of interrupted calls, at the agent's start."""

    def capacity_gib(self) -> int: ...

    def files(self) -> Sequence[str]:
        """Return volumes/<id>.qcow2 and images/<sha256>: each complete file in the node's own folder."""

    def image_size_bytes(self, sha256: str) -> int | None:
        """Return the size of the cached file; None when the image is not cached."""

    def receive_image(self, sha256: str) -> AbstractContextManager[IncomingImage]: ...

    def remove_image(self, sha256: str) -> bool: ...

    def folder(self) -> Path:
        """Return the node's own folder, which has images, volumes and files of instances."""

    def pools(self) -> Sequence[PoolFacts]:
        """Return the pools that are mounted now, without waiting."""

    def engine(self, place: Place = OWN_FOLDER, *, key: bytes = b"", is_copy: bool = False) -> "StorageEngine":
        """Return the engine of the volumes in that place. `key`: the one to keep, of a volume that needs one.

        `is_copy`: the volume has another key here, of the place that it is copied from.
        """

    def write_seed(self, instance_id: UUID, files: Mapping[str, bytes]) -> Path:
        """Write the NoCloud medium with these files; an unchanged one stays, and a running guest keeps its old one."""

    def console_path(self, instance_id: UUID) -> Path: ...

    def serial_path(self, instance_id: UUID) -> Path:
        """Return the socket path of the guest's serial console while it runs, for the agent alone."""

    def read_console(self, instance_id: UUID, *, offset: int, max_bytes: int) -> "ConsolePart":
        """Read the console log.

        A negative `offset` counts from the end. An instance that never ran has an empty log.
        """

    def remove_instance_files(self, instance_id: UUID) -> None: ...

    def file_size_bytes(self, name: str) -> int | None:
        """Return the size of a file named as in files(). A folder counts with all of its content; a link by itself."""

    def set_aside(self, name: str, orphan_id: UUID) -> bool:
        """Move a file of files() into quarantine in one step; open descriptors stay valid. False: no such file."""

    def put_back(self, name: str, orphan_id: UUID) -> bool:
        """Move a file back from quarantine. Raises AdapterError when another file has taken its place."""

    def aside_size_bytes(self, orphan_id: UUID) -> int | None: ...

    def keep_definition(self, orphan_id: UUID, definition: str) -> None:
        """Store the definition beside the quarantined files, as a file of its own."""

    def remove_aside(self, orphan_id: UUID) -> bool:
        """Delete the quarantined file. The definition of a domain stays."""


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
RBD = "rbd:"  # prefix of a disk's source in a Ceph cluster, POOL/IMAGE; other sources are paths


class Power(StrEnum):
    RUNNING = "running"
    SHUTDOWN = "shutdown"  # only in specs
    OFF = "off"
    PAUSED = "paused"  # observed only
    CRASHED = "crashed"  # observed only


class Firmware(StrEnum):
    BIOS = "bios"
    UEFI = "uefi"


@dataclass(frozen=True, slots=True)
class IoLimits:
    """Limits of a disk, of reads and writes together, each per second. 0: no limit."""

    iops: int = 0
    bytes_per_s: int = 0


NO_LIMITS = IoLimits()


@dataclass(frozen=True, slots=True)
class GuestDisk:
    """A disk of a guest: the file `path`, or the image `rbd`.

    `image`: the file that the volume is a layer over; None: the volume is whole. `is_shareable`: guests of other nodes
    may write to it too, so that QEMU caches nothing of it.
    """

    volume_id: UUID
    path: Path | None = None
    is_read_only: bool = False
    image: Path | None = None
    image_format: ImageFormat = ImageFormat.QCOW2
    rbd: RbdSource | None = None
    limits: IoLimits = NO_LIMITS
    is_shareable: bool = False

    @property
    def source(self) -> str:
        """Return the source as in `Hypervisor.plugged`."""
        return f"{RBD}{self.rbd.pool}/{self.rbd.image}" if self.rbd is not None else str(self.path)

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
    """The definition of a guest for a hypervisor.

    `disks` starts with the root disk. `user`: the number of the user and group that it runs as; None: the hypervisor's
    default.
    """

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


class GuestAgent(StrEnum):
    """State of the guest agent's channel: a program in the guest has opened it, or not. UNKNOWN: also if it is off."""

    UNKNOWN = "unknown"
    CONNECTED = "connected"
    DISCONNECTED = "disconnected"


@dataclass(frozen=True, slots=True)
class GuestState:
    """State of a guest. `reason` is empty, or explains why the guest stopped without the agent.

    `is_reason_known` is False for a guest that is off and has not run yet, or whose reason the hypervisor has
    forgotten, as after a restart of the node. `is_between`: it is just starting, or its memory is being migrated.
    """

    power: Power
    virt_type: str
    reason: str = ""
    is_reason_known: bool = True
    is_between: bool = False
    guest_agent: GuestAgent = GuestAgent.UNKNOWN


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
    """Counters of a network card, seen from the guest: "in" is received traffic. The node's kernel counts the drops."""

    device: str
    in_bytes: int
    out_bytes: int
    in_packets: int
    out_packets: int
    in_dropped: int
    out_dropped: int


@dataclass(frozen=True, slots=True)
class GuestUsage:
    """Counters since the guest's start. `memory_used_mib`: None where the guest has no balloon driver."""

    vcpus: int
    cpu_ns: int
    memory_resident_mib: int
    memory_used_mib: int | None
    disks: tuple[DiskUsage, ...]
    nics: tuple[NicUsage, ...]


@dataclass(frozen=True, slots=True)
class DomainFacts:
    """Facts of any domain, also of an unmanaged one.

    `disks`: the sources of its disks, mostly paths; `bridges`: those of its cards.
    """

    power: Power
    memory_mib: int
    definition: str
    disks: tuple[str, ...] = ()
    bridges: tuple[str, ...] = ()


class Hypervisor(Protocol):
    def host(self) -> HostFacts: ...

    def probe(self) -> str:
        """Run a minimal guest to its end, as new guests run. Returns an empty text on success, else the problem."""

    def define(self, guest: GuestSpec) -> None:
        """Store the definition. A running guest takes it up at its next start."""

    def check_domain(self, guest: GuestSpec) -> None:
        """Check that a running guest is as `define` would make it.

        Raises:
            GuestForeign: it is not. One that is off, or not there, is no concern: it starts from what `define` stores.
        """

    def undefine(self, guest_id: UUID) -> bool:
        """Undefine a guest that is off; False when it was not defined."""

    def start(self, guest_id: UUID) -> None: ...

    def bring_up(self, guest_id: UUID) -> None:
        """Create a guest that is off with memory and devices, paused, so that it can be sent.

        It has run no instruction.
        """

    def request_shutdown(self, guest_id: UUID) -> None:
        """Press the power button (ACPI) and return."""

    def power_off(self, guest_id: UUID) -> None: ...

    def reboot(self, guest_id: UUID) -> None:
        """Request a reboot of the guest (ACPI) and return."""

    def reset(self, guest_id: UUID) -> None: ...

    def state(self, guest_id: UUID) -> GuestState | None: ...

    def states(self) -> Mapping[UUID, GuestState]:
        """Return the states of all domains with a guest's name."""

    def usage(self) -> Mapping[UUID, GuestUsage]:
        """Return the usage of all running guests in one call that waits for none; a busy guest is left out."""

    def unknown_domains(self) -> Sequence[str]:
        """Return the names of domains without a guest's name."""

    def domain(self, name: str) -> DomainFacts | None:
        """Return the domain; None: it does not exist."""

    def pause_domain(self, name: str) -> None:
        """Pause the domain, which keeps its memory and does not start with the hypervisor; one that is off stays so."""

    def resume_domain(self, name: str) -> None:
        """Resume the domain if it is paused."""

    def remove_domain(self, name: str) -> bool:
        """Stop the domain and delete its definition; False when it did not exist. Its disks stay."""

    def plugged(self, guest_id: UUID) -> Sequence[str]:
        """Return the sources of a running guest's disks, as `GuestDisk.source`; none of a guest that is off."""

    def plug_disk(self, guest_id: UUID, disk: GuestDisk) -> None:
        """Hot-plug a disk into the running guest; `define` changes its stored definition."""

    def unplug_disk(self, guest_id: UUID, disk: GuestDisk) -> bool:
        """Hot-unplug from the running guest; False when it was not plugged in. Raises DetachPending."""

    def plug_card(self, guest_id: UUID, nic: GuestNic) -> None:
        """Hot-plug a network card into the running guest; `define` changes its stored definition."""

    def unplug_card(self, guest_id: UUID, device: str) -> bool:
        """Hot-unplug the card of that tap; False when it was not plugged in. Raises DetachPending."""

    def grow_disk(self, guest_id: UUID, disk: GuestDisk, size_bytes: int) -> None:
        """Grow a disk of a running guest, which sees the new size at once."""

    def limit_disk(self, guest_id: UUID, disk: GuestDisk) -> None:
        """Give a disk of a running guest its limits; `define` changes its stored definition."""

    def open_console(self, guest_id: UUID, kind: ConsoleKind) -> Channel:
        """Open a connection to a console of the running guest.

        A serial console has one connection at a time, the agent's; a display any number.

        Raises:
            NoConsole: it was started without one.
        """

    def freeze(self, guest_id: UUID, *, answer_s: int) -> int:
        """Let the guest's agent freeze its file systems; return their number, as the guest says.

        The call takes twice `answer_s` at most, and delays no other call. After any error but the first two, the file
        systems may be frozen, now or later.

        Raises:
            GuestNotRunning, GuestAgentMissing
            GuestAgentSilent, GuestAgentRefused, AdapterError
        """

    def thaw(self, guest_id: UUID, *, answer_s: int) -> int:
        """Thaw the file systems; return the number of those that were frozen. Duration and errors as of `freeze`."""

    def pause(self, guest_id: UUID) -> None:
        """Pause the running guest, which keeps its memory; `resume_domain` resumes it.

        Raises:
            GuestNotRunning: it is off, or paused for another reason.
        """

    def subscribe(self, listener: Callable[[UUID], None]) -> None:
        """Call `listener(guest_id)` after each change of a guest's state. It must return at once."""

    def close(self) -> None: ...


def guest_name(guest_id: UUID) -> str:
    """Return the hypervisor's name of the guest; no part of it is chosen by a tenant."""
    return f"{GUEST_PREFIX}{guest_id}"


def disk_serial(volume_id: UUID) -> str:
    """Return the serial number of the disk for the guest: virtio-blk carries at most 20 characters."""
    return volume_id.hex[:20]


@contextmanager
def always(guest_id: UUID) -> Iterator[bool]:
    yield True


@dataclass(slots=True)
class Restarts:
    """Guards restarts that a hypervisor makes by itself, as after a failure of KVM.

    `guard(guest_id)` is a context: within it no other thread changes the guest, and its value states whether the guest
    is still to run. It waits for calls in progress, so it is not for the threads of libvirt's events.
    """

    guard: Callable[[UUID], AbstractContextManager[bool]] = always


@dataclass(frozen=True, slots=True)
class Adapters:
    hypervisor: Hypervisor
    disks: Disks
    switch: Switch
    migrations: Migrations
    metadata: Metadata
    mirrors: "Mirrors"
    transfers: "Transfers"
    restarts: Restarts = field(default_factory=Restarts)
