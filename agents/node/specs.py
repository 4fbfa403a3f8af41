"""Specs from the control plane, as plain values: rpc/decoding.py makes them, the state store keeps them."""

from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Address
from uuid import UUID

from agents.node.adapters.interfaces import NO_LIMITS, ConsoleKind, Firmware, ImageFormat, IoLimits, Power
from agents.node.adapters.migrations import Convergence
from agents.node.adapters.storage.places import Place, RbdSource
from agents.node.codec import ADDED_LATER

# Limits of a freeze. The longest is also the default: it counts only when the caller is lost, since one that is there
# thaws as soon as it has its snapshots, and half of it is for the guest, which first writes its dirty memory to its
# disks. Windows ends a freeze after the same time. libvirt waits for whole seconds, and twice: to synchronise with the
# guest's agent, and for its answer.
MIN_FREEZE_MS, MAX_FREEZE_MS = 2000, 10_000


class FreezeLevel(StrEnum):
    """FILE_SYSTEMS: the guest's agent freezes them. EXECUTION: the guest's vCPUs are paused."""

    FILE_SYSTEMS = "file-systems"
    EXECUTION = "execution"


@dataclass(frozen=True, slots=True)
class Subject:
    """One resource at one generation."""

    id: UUID
    generation: int


@dataclass(frozen=True, slots=True)
class ImageSpec:
    sha256: str
    size_bytes: int
    format: ImageFormat


@dataclass(frozen=True, slots=True)
class VolumeSpec:
    size_bytes: int
    image_sha256: str  # empty: no image
    pool: str = ""  # name of the pool that has its data; empty: the node's own folder
    is_taken_over: bool = False  # the file is there already
    rbd: RbdSource | None = field(default=None, metadata=ADDED_LATER)  # its image, if the pool is one of a Ceph cluster
    limits: IoLimits = field(default=NO_LIMITS, metadata=ADDED_LATER)

    @property
    def place(self) -> Place:
        return Place(self.pool, self.rbd)


@dataclass(frozen=True, slots=True)
class VolumeCopySpec:
    """A whole copy of a volume, from one place to another. `max_bytes_per_s` 0: no limit.

    `is_online`: a running guest has the volume open. The copy follows what the guest writes, until the pivot.

    `received_from`, `sent_to`: the other node of a copy between the own folders of two nodes.
    """

    size_bytes: int
    source: Place
    destination: Place
    max_bytes_per_s: int = 0
    is_online: bool = field(default=False, metadata=ADDED_LATER)
    received_from: "Peer | None" = field(default=None, metadata=ADDED_LATER)
    sent_to: "Peer | None" = field(default=None, metadata=ADDED_LATER)

    @property
    def peer(self) -> "Peer | None":
        return self.received_from or self.sent_to

    @property
    def is_between_clusters(self) -> bool:
        """Tell if both places are pools of Ceph clusters, so that the volume has a key for each meanwhile."""
        return self.source.rbd is not None and self.destination.rbd is not None


class MetadataAccess(StrEnum):
    """Access of a guest's programs to its metadata. TOKEN: for programs that get a token first."""

    TOKEN = "token"
    OPEN = "open"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class GuestData:
    hostname: str
    ssh_public_keys: tuple[str, ...]
    user_data: bytes
    metadata: MetadataAccess = MetadataAccess.TOKEN


class RestartKind(StrEnum):
    REBOOT = "reboot"
    RESET = "reset"


@dataclass(frozen=True, slots=True)
class Restart:
    """Requests that the guest has been restarted `count` times; `kind` states the manner of the last restart."""

    count: int
    kind: RestartKind


@dataclass(frozen=True, slots=True)
class InstanceSpec:
    vcpus: int
    memory_mib: int
    firmware: Firmware
    root_volume_id: UUID
    port_ids: tuple[UUID, ...]
    guest_data: GuestData
    power: Power
    restart: Restart
    project_id: UUID


@dataclass(frozen=True, slots=True)
class AttachmentSpec:
    """`is_shared`: guests of other nodes may write to the volume too."""

    instance_id: UUID
    volume_id: UUID
    is_read_only: bool
    is_shared: bool = field(default=False, metadata=ADDED_LATER)


@dataclass(frozen=True, slots=True)
class Peer:
    """The other node of a migration, identified by its certificate."""

    node_id: UUID
    certificate_sha256: str


@dataclass(frozen=True, slots=True)
class IncomingAttachment:
    """An attachment that a guest brings with it."""

    id: UUID
    generation: int
    volume_id: UUID
    is_read_only: bool
    is_shared: bool = field(default=False, metadata=ADDED_LATER)


@dataclass(frozen=True, slots=True)
class IncomingSpec:
    """A guest that arrives from `source`: running, or off, according to its requested power state."""

    instance: InstanceSpec
    source: Peer
    plugged: tuple[IncomingAttachment, ...]


@dataclass(frozen=True, slots=True)
class OutgoingSpec:
    """A guest that is to leave for another node.

    `uri` comes from the destination's agent; `max_pause_ms` 0: the hypervisor's default. `is_off`: the guest is off,
    and stays off during the migration.
    """

    destination: Peer
    uri: str
    max_pause_ms: int
    convergence: Convergence = Convergence.AUTO_CONVERGE
    is_off: bool = False


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A signed segment, list of ports, security group or metadata of an instance; it was verified on arrival."""

    document: bytes


class UnmanagedKind(StrEnum):
    DOMAIN = "domain"
    FILE = "file"
    PORT = "port"
    ATTACHMENT = "attachment"


@dataclass(frozen=True, slots=True)
class QuarantineSpec:
    """A resource to quarantine.

    `name`: the name of a domain, the path of a file in the node's folder, a device, or the id of an attachment.
    """

    kind: UnmanagedKind
    name: str
    is_released: bool


@dataclass(frozen=True, slots=True)
class ConsoleSpec:
    instance_id: UUID
    kind: ConsoleKind
    scrollback_bytes: int


@dataclass(frozen=True, slots=True)
class TunnelSpec:
    """A TCP connection to one port of a guest, at an address of its network card `port_id`."""

    instance_id: UUID
    port_id: UUID
    address: IPv4Address
    tcp_port: int
