from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ImageFormat(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    IMAGE_FORMAT_UNSPECIFIED: _ClassVar[ImageFormat]
    IMAGE_FORMAT_QCOW2: _ClassVar[ImageFormat]
    IMAGE_FORMAT_RAW: _ClassVar[ImageFormat]

class CopyPhase(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    COPY_PHASE_UNSPECIFIED: _ClassVar[CopyPhase]
    COPY_PHASE_RUNNING: _ClassVar[CopyPhase]
    COPY_PHASE_COMPLETED: _ClassVar[CopyPhase]
    COPY_PHASE_FAILED: _ClassVar[CopyPhase]
    COPY_PHASE_READY: _ClassVar[CopyPhase]

class Power(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    POWER_UNSPECIFIED: _ClassVar[Power]
    POWER_RUNNING: _ClassVar[Power]
    POWER_SHUTDOWN: _ClassVar[Power]
    POWER_OFF: _ClassVar[Power]
    POWER_PAUSED: _ClassVar[Power]
    POWER_CRASHED: _ClassVar[Power]

class Firmware(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FIRMWARE_UNSPECIFIED: _ClassVar[Firmware]
    FIRMWARE_BIOS: _ClassVar[Firmware]
    FIRMWARE_UEFI: _ClassVar[Firmware]

class RestartKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RESTART_KIND_UNSPECIFIED: _ClassVar[RestartKind]
    RESTART_KIND_REBOOT: _ClassVar[RestartKind]
    RESTART_KIND_RESET: _ClassVar[RestartKind]

class MetadataAccess(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    METADATA_ACCESS_UNSPECIFIED: _ClassVar[MetadataAccess]
    METADATA_ACCESS_TOKEN: _ClassVar[MetadataAccess]
    METADATA_ACCESS_OPEN: _ClassVar[MetadataAccess]
    METADATA_ACCESS_OFF: _ClassVar[MetadataAccess]

class GuestAgentState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    GUEST_AGENT_STATE_UNSPECIFIED: _ClassVar[GuestAgentState]
    GUEST_AGENT_STATE_CONNECTED: _ClassVar[GuestAgentState]
    GUEST_AGENT_STATE_DISCONNECTED: _ClassVar[GuestAgentState]

class FreezeLevel(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FREEZE_LEVEL_UNSPECIFIED: _ClassVar[FreezeLevel]
    FREEZE_LEVEL_FILE_SYSTEMS: _ClassVar[FreezeLevel]
    FREEZE_LEVEL_EXECUTION: _ClassVar[FreezeLevel]

class Convergence(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CONVERGENCE_UNSPECIFIED: _ClassVar[Convergence]
    CONVERGENCE_AUTO_CONVERGE: _ClassVar[Convergence]
    CONVERGENCE_NONE: _ClassVar[Convergence]

class MovePhase(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MOVE_PHASE_UNSPECIFIED: _ClassVar[MovePhase]
    MOVE_PHASE_RUNNING: _ClassVar[MovePhase]
    MOVE_PHASE_COMPLETED: _ClassVar[MovePhase]
    MOVE_PHASE_FAILED: _ClassVar[MovePhase]
    MOVE_PHASE_CANCELLED: _ClassVar[MovePhase]

class StrayKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STRAY_KIND_UNSPECIFIED: _ClassVar[StrayKind]
    STRAY_KIND_DOMAIN: _ClassVar[StrayKind]
    STRAY_KIND_FILE: _ClassVar[StrayKind]
    STRAY_KIND_PORT: _ClassVar[StrayKind]
    STRAY_KIND_ATTACHMENT: _ClassVar[StrayKind]

class ConsoleKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CONSOLE_KIND_UNSPECIFIED: _ClassVar[ConsoleKind]
    CONSOLE_KIND_SERIAL: _ClassVar[ConsoleKind]
    CONSOLE_KIND_VNC: _ClassVar[ConsoleKind]
IMAGE_FORMAT_UNSPECIFIED: ImageFormat
IMAGE_FORMAT_QCOW2: ImageFormat
IMAGE_FORMAT_RAW: ImageFormat
COPY_PHASE_UNSPECIFIED: CopyPhase
COPY_PHASE_RUNNING: CopyPhase
COPY_PHASE_COMPLETED: CopyPhase
COPY_PHASE_FAILED: CopyPhase
COPY_PHASE_READY: CopyPhase
POWER_UNSPECIFIED: Power
POWER_RUNNING: Power
POWER_SHUTDOWN: Power
POWER_OFF: Power
POWER_PAUSED: Power
POWER_CRASHED: Power
FIRMWARE_UNSPECIFIED: Firmware
FIRMWARE_BIOS: Firmware
FIRMWARE_UEFI: Firmware
RESTART_KIND_UNSPECIFIED: RestartKind
RESTART_KIND_REBOOT: RestartKind
RESTART_KIND_RESET: RestartKind
METADATA_ACCESS_UNSPECIFIED: MetadataAccess
METADATA_ACCESS_TOKEN: MetadataAccess
METADATA_ACCESS_OPEN: MetadataAccess
METADATA_ACCESS_OFF: MetadataAccess
GUEST_AGENT_STATE_UNSPECIFIED: GuestAgentState
GUEST_AGENT_STATE_CONNECTED: GuestAgentState
GUEST_AGENT_STATE_DISCONNECTED: GuestAgentState
FREEZE_LEVEL_UNSPECIFIED: FreezeLevel
FREEZE_LEVEL_FILE_SYSTEMS: FreezeLevel
FREEZE_LEVEL_EXECUTION: FreezeLevel
CONVERGENCE_UNSPECIFIED: Convergence
CONVERGENCE_AUTO_CONVERGE: Convergence
CONVERGENCE_NONE: Convergence
MOVE_PHASE_UNSPECIFIED: MovePhase
MOVE_PHASE_RUNNING: MovePhase
MOVE_PHASE_COMPLETED: MovePhase
MOVE_PHASE_FAILED: MovePhase
MOVE_PHASE_CANCELLED: MovePhase
STRAY_KIND_UNSPECIFIED: StrayKind
STRAY_KIND_DOMAIN: StrayKind
STRAY_KIND_FILE: StrayKind
STRAY_KIND_PORT: StrayKind
STRAY_KIND_ATTACHMENT: StrayKind
CONSOLE_KIND_UNSPECIFIED: ConsoleKind
CONSOLE_KIND_SERIAL: ConsoleKind
CONSOLE_KIND_VNC: ConsoleKind

class Subject(_message.Message):
    __slots__ = ("id", "generation")
    ID_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    id: str
    generation: int
    def __init__(self, id: _Optional[str] = ..., generation: _Optional[int] = ...) -> None: ...

class Permit(_message.Message):
    __slots__ = ("document", "policies", "cosignature")
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    POLICIES_FIELD_NUMBER: _ClassVar[int]
    COSIGNATURE_FIELD_NUMBER: _ClassVar[int]
    document: bytes
    policies: bytes
    cosignature: bytes
    def __init__(self, document: _Optional[bytes] = ..., policies: _Optional[bytes] = ..., cosignature: _Optional[bytes] = ...) -> None: ...

class RemoveRequest(_message.Message):
    __slots__ = ("subject", "pool")
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    POOL_FIELD_NUMBER: _ClassVar[int]
    subject: Subject
    pool: str
    def __init__(self, subject: _Optional[_Union[Subject, _Mapping]] = ..., pool: _Optional[str] = ...) -> None: ...

class Removed(_message.Message):
    __slots__ = ("was_present",)
    WAS_PRESENT_FIELD_NUMBER: _ClassVar[int]
    was_present: bool
    def __init__(self, was_present: _Optional[bool] = ...) -> None: ...

class ImageHeader(_message.Message):
    __slots__ = ("sha256", "size_bytes", "format", "permit")
    SHA256_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    PERMIT_FIELD_NUMBER: _ClassVar[int]
    sha256: str
    size_bytes: int
    format: ImageFormat
    permit: Permit
    def __init__(self, sha256: _Optional[str] = ..., size_bytes: _Optional[int] = ..., format: _Optional[_Union[ImageFormat, str]] = ..., permit: _Optional[_Union[Permit, _Mapping]] = ...) -> None: ...

class ImagePart(_message.Message):
    __slots__ = ("header", "data")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    header: ImageHeader
    data: bytes
    def __init__(self, header: _Optional[_Union[ImageHeader, _Mapping]] = ..., data: _Optional[bytes] = ...) -> None: ...

class ImageState(_message.Message):
    __slots__ = ("sha256", "size_bytes", "was_cached")
    SHA256_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    WAS_CACHED_FIELD_NUMBER: _ClassVar[int]
    sha256: str
    size_bytes: int
    was_cached: bool
    def __init__(self, sha256: _Optional[str] = ..., size_bytes: _Optional[int] = ..., was_cached: _Optional[bool] = ...) -> None: ...

class RemoveImageRequest(_message.Message):
    __slots__ = ("sha256",)
    SHA256_FIELD_NUMBER: _ClassVar[int]
    sha256: str
    def __init__(self, sha256: _Optional[str] = ...) -> None: ...

class EnsureVolumeRequest(_message.Message):
    __slots__ = ("subject", "permit", "size_bytes", "image_sha256", "pool", "is_taken_over", "limits", "rbd")
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    PERMIT_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    IMAGE_SHA256_FIELD_NUMBER: _ClassVar[int]
    POOL_FIELD_NUMBER: _ClassVar[int]
    IS_TAKEN_OVER_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    RBD_FIELD_NUMBER: _ClassVar[int]
    subject: Subject
    permit: Permit
    size_bytes: int
    image_sha256: str
    pool: str
    is_taken_over: bool
    limits: IoLimits
    rbd: RbdSource
    def __init__(self, subject: _Optional[_Union[Subject, _Mapping]] = ..., permit: _Optional[_Union[Permit, _Mapping]] = ..., size_bytes: _Optional[int] = ..., image_sha256: _Optional[str] = ..., pool: _Optional[str] = ..., is_taken_over: _Optional[bool] = ..., limits: _Optional[_Union[IoLimits, _Mapping]] = ..., rbd: _Optional[_Union[RbdSource, _Mapping]] = ...) -> None: ...

class IoLimits(_message.Message):
    __slots__ = ("iops", "bytes_per_s")
    IOPS_FIELD_NUMBER: _ClassVar[int]
    BYTES_PER_S_FIELD_NUMBER: _ClassVar[int]
    iops: int
    bytes_per_s: int
    def __init__(self, iops: _Optional[int] = ..., bytes_per_s: _Optional[int] = ...) -> None: ...

class RbdSource(_message.Message):
    __slots__ = ("pool", "image", "monitors", "client", "key")
    POOL_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    MONITORS_FIELD_NUMBER: _ClassVar[int]
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    pool: str
    image: str
    monitors: _containers.RepeatedScalarFieldContainer[str]
    client: str
    key: bytes
    def __init__(self, pool: _Optional[str] = ..., image: _Optional[str] = ..., monitors: _Optional[_Iterable[str]] = ..., client: _Optional[str] = ..., key: _Optional[bytes] = ...) -> None: ...

class EnsureVolumeCopyRequest(_message.Message):
    __slots__ = ("subject", "permit", "size_bytes", "source", "destination", "max_bytes_per_s", "is_online", "received_from", "sent_to", "uri")
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    PERMIT_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    DESTINATION_FIELD_NUMBER: _ClassVar[int]
    MAX_BYTES_PER_S_FIELD_NUMBER: _ClassVar[int]
    IS_ONLINE_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_FROM_FIELD_NUMBER: _ClassVar[int]
    SENT_TO_FIELD_NUMBER: _ClassVar[int]
    URI_FIELD_NUMBER: _ClassVar[int]
    subject: Subject
    permit: Permit
    size_bytes: int
    source: VolumePlace
    destination: VolumePlace
    max_bytes_per_s: int
    is_online: bool
    received_from: Peer
    sent_to: Peer
    uri: str
    def __init__(self, subject: _Optional[_Union[Subject, _Mapping]] = ..., permit: _Optional[_Union[Permit, _Mapping]] = ..., size_bytes: _Optional[int] = ..., source: _Optional[_Union[VolumePlace, _Mapping]] = ..., destination: _Optional[_Union[VolumePlace, _Mapping]] = ..., max_bytes_per_s: _Optional[int] = ..., is_online: _Optional[bool] = ..., received_from: _Optional[_Union[Peer, _Mapping]] = ..., sent_to: _Optional[_Union[Peer, _Mapping]] = ..., uri: _Optional[str] = ...) -> None: ...

class PivotVolumeCopyRequest(_message.Message):
    __slots__ = ("subject",)
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    subject: Subject
    def __init__(self, subject: _Optional[_Union[Subject, _Mapping]] = ...) -> None: ...

class VolumePlace(_message.Message):
    __slots__ = ("pool", "rbd")
    POOL_FIELD_NUMBER: _ClassVar[int]
    RBD_FIELD_NUMBER: _ClassVar[int]
    pool: str
    rbd: RbdSource
    def __init__(self, pool: _Optional[str] = ..., rbd: _Optional[_Union[RbdSource, _Mapping]] = ...) -> None: ...

class VolumeCopyState(_message.Message):
    __slots__ = ("subject", "phase", "reason", "total_bytes", "moved_bytes", "uri")
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    PHASE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    TOTAL_BYTES_FIELD_NUMBER: _ClassVar[int]
    MOVED_BYTES_FIELD_NUMBER: _ClassVar[int]
    URI_FIELD_NUMBER: _ClassVar[int]
    subject: Subject
    phase: CopyPhase
    reason: str
    total_bytes: int
    moved_bytes: int
    uri: str
    def __init__(self, subject: _Optional[_Union[Subject, _Mapping]] = ..., phase: _Optional[_Union[CopyPhase, str]] = ..., reason: _Optional[str] = ..., total_bytes: _Optional[int] = ..., moved_bytes: _Optional[int] = ..., uri: _Optional[str] = ...) -> None: ...

class VolumeState(_message.Message):
    __slots__ = ("subject", "size_bytes", "attached_to", "pool")
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    ATTACHED_TO_FIELD_NUMBER: _ClassVar[int]
    POOL_FIELD_NUMBER: _ClassVar[int]
    subject: Subject
    size_bytes: int
    attached_to: str
    pool: str
    def __init__(self, subject: _Optional[_Union[Subject, _Mapping]] = ..., size_bytes: _Optional[int] = ..., attached_to: _Optional[str] = ..., pool: _Optional[str] = ...) -> None: ...

class Network(_message.Message):
    __slots__ = ("id", "cidr", "gateway_ip", "dns_servers", "mtu", "segment", "subnets")
    ID_FIELD_NUMBER: _ClassVar[int]
    CIDR_FIELD_NUMBER: _ClassVar[int]
    GATEWAY_IP_FIELD_NUMBER: _ClassVar[int]
    DNS_SERVERS_FIELD_NUMBER: _ClassVar[int]
    MTU_FIELD_NUMBER: _ClassVar[int]
    SEGMENT_FIELD_NUMBER: _ClassVar[int]
    SUBNETS_FIELD_NUMBER: _ClassVar[int]
    id: str
    cidr: str
    gateway_ip: str
    dns_servers: _containers.RepeatedScalarFieldContainer[str]
    mtu: int
    segment: bytes
    subnets: _containers.RepeatedCompositeFieldContainer[Subnet]
    def __init__(self, id: _Optional[str] = ..., cidr: _Optional[str] = ..., gateway_ip: _Optional[str] = ..., dns_servers: _Optional[_Iterable[str]] = ..., mtu: _Optional[int] = ..., segment: _Optional[bytes] = ..., subnets: _Optional[_Iterable[_Union[Subnet, _Mapping]]] = ...) -> None: ...

class EnsureNetworkRequest(_message.Message):
    __slots__ = ("segment",)
    SEGMENT_FIELD_NUMBER: _ClassVar[int]
    segment: bytes
    def __init__(self, segment: _Optional[bytes] = ...) -> None: ...

class NetworkState(_message.Message):
    __slots__ = ("id", "version", "problem")
    ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    id: str
    version: int
    problem: str
    def __init__(self, id: _Optional[str] = ..., version: _Optional[int] = ..., problem: _Optional[str] = ...) -> None: ...

class Subnet(_message.Message):
    __slots__ = ("id", "cidr", "gateway_ip", "dns_servers")
    ID_FIELD_NUMBER: _ClassVar[int]
    CIDR_FIELD_NUMBER: _ClassVar[int]
    GATEWAY_IP_FIELD_NUMBER: _ClassVar[int]
    DNS_SERVERS_FIELD_NUMBER: _ClassVar[int]
    id: str
    cidr: str
    gateway_ip: str
    dns_servers: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, id: _Optional[str] = ..., cidr: _Optional[str] = ..., gateway_ip: _Optional[str] = ..., dns_servers: _Optional[_Iterable[str]] = ...) -> None: ...

class EnsurePortRequest(_message.Message):
    __slots__ = ("subject", "permit", "network", "mac", "ip", "hostname", "addresses", "ports", "security_groups")
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    PERMIT_FIELD_NUMBER: _ClassVar[int]
    NETWORK_FIELD_NUMBER: _ClassVar[int]
    MAC_FIELD_NUMBER: _ClassVar[int]
    IP_FIELD_NUMBER: _ClassVar[int]
    HOSTNAME_FIELD_NUMBER: _ClassVar[int]
    ADDRESSES_FIELD_NUMBER: _ClassVar[int]
    PORTS_FIELD_NUMBER: _ClassVar[int]
    SECURITY_GROUPS_FIELD_NUMBER: _ClassVar[int]
    subject: Subject
    permit: Permit
    network: Network
    mac: str
    ip: str
    hostname: str
    addresses: _containers.RepeatedScalarFieldContainer[str]
    ports: bytes
    security_groups: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, subject: _Optional[_Union[Subject, _Mapping]] = ..., permit: _Optional[_Union[Permit, _Mapping]] = ..., network: _Optional[_Union[Network, _Mapping]] = ..., mac: _Optional[str] = ..., ip: _Optional[str] = ..., hostname: _Optional[str] = ..., addresses: _Optional[_Iterable[str]] = ..., ports: _Optional[bytes] = ..., security_groups: _Optional[_Iterable[bytes]] = ...) -> None: ...

class EnsurePortRulesRequest(_message.Message):
    __slots__ = ("ports", "security_groups")
    PORTS_FIELD_NUMBER: _ClassVar[int]
    SECURITY_GROUPS_FIELD_NUMBER: _ClassVar[int]
    ports: _containers.RepeatedScalarFieldContainer[bytes]
    security_groups: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, ports: _Optional[_Iterable[bytes]] = ..., security_groups: _Optional[_Iterable[bytes]] = ...) -> None: ...

class PortRulesState(_message.Message):
    __slots__ = ("ports", "security_groups", "problem")
    PORTS_FIELD_NUMBER: _ClassVar[int]
    SECURITY_GROUPS_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    ports: _containers.RepeatedCompositeFieldContainer[DocumentVersion]
    security_groups: _containers.RepeatedCompositeFieldContainer[DocumentVersion]
    problem: str
    def __init__(self, ports: _Optional[_Iterable[_Union[DocumentVersion, _Mapping]]] = ..., security_groups: _Optional[_Iterable[_Union[DocumentVersion, _Mapping]]] = ..., problem: _Optional[str] = ...) -> None: ...

class DocumentVersion(_message.Message):
    __slots__ = ("id", "version")
    ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    id: str
    version: int
    def __init__(self, id: _Optional[str] = ..., version: _Optional[int] = ...) -> None: ...

class PortState(_message.Message):
    __slots__ = ("subject", "device", "mac", "ip")
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    MAC_FIELD_NUMBER: _ClassVar[int]
    IP_FIELD_NUMBER: _ClassVar[int]
    subject: Subject
    device: str
    mac: str
    ip: str
    def __init__(self, subject: _Optional[_Union[Subject, _Mapping]] = ..., device: _Optional[str] = ..., mac: _Optional[str] = ..., ip: _Optional[str] = ...) -> None: ...

class Restart(_message.Message):
    __slots__ = ("count", "kind")
    COUNT_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    count: int
    kind: RestartKind
    def __init__(self, count: _Optional[int] = ..., kind: _Optional[_Union[RestartKind, str]] = ...) -> None: ...

class GuestData(_message.Message):
    __slots__ = ("hostname", "ssh_public_keys", "user_data", "metadata")
    HOSTNAME_FIELD_NUMBER: _ClassVar[int]
    SSH_PUBLIC_KEYS_FIELD_NUMBER: _ClassVar[int]
    USER_DATA_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    hostname: str
    ssh_public_keys: _containers.RepeatedScalarFieldContainer[str]
    user_data: bytes
    metadata: MetadataAccess
    def __init__(self, hostname: _Optional[str] = ..., ssh_public_keys: _Optional[_Iterable[str]] = ..., user_data: _Optional[bytes] = ..., metadata: _Optional[_Union[MetadataAccess, str]] = ...) -> None: ...

class EnsureMetadataRequest(_message.Message):
    __slots__ = ("documents",)
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    documents: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, documents: _Optional[_Iterable[bytes]] = ...) -> None: ...

class MetadataState(_message.Message):
    __slots__ = ("documents", "refused")
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    documents: _containers.RepeatedCompositeFieldContainer[DocumentVersion]
    refused: _containers.RepeatedCompositeFieldContainer[RefusedDocument]
    def __init__(self, documents: _Optional[_Iterable[_Union[DocumentVersion, _Mapping]]] = ..., refused: _Optional[_Iterable[_Union[RefusedDocument, _Mapping]]] = ...) -> None: ...

class RefusedDocument(_message.Message):
    __slots__ = ("number", "problem")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    number: int
    problem: str
    def __init__(self, number: _Optional[int] = ..., problem: _Optional[str] = ...) -> None: ...

class EnsureInstanceRequest(_message.Message):
    __slots__ = ("subject", "permit", "vcpus", "memory_mib", "firmware", "root_volume_id", "port_ids", "guest_data", "power", "restart", "project_id", "has_left_source")
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    PERMIT_FIELD_NUMBER: _ClassVar[int]
    VCPUS_FIELD_NUMBER: _ClassVar[int]
    MEMORY_MIB_FIELD_NUMBER: _ClassVar[int]
    FIRMWARE_FIELD_NUMBER: _ClassVar[int]
    ROOT_VOLUME_ID_FIELD_NUMBER: _ClassVar[int]
    PORT_IDS_FIELD_NUMBER: _ClassVar[int]
    GUEST_DATA_FIELD_NUMBER: _ClassVar[int]
    POWER_FIELD_NUMBER: _ClassVar[int]
    RESTART_FIELD_NUMBER: _ClassVar[int]
    PROJECT_ID_FIELD_NUMBER: _ClassVar[int]
    HAS_LEFT_SOURCE_FIELD_NUMBER: _ClassVar[int]
    subject: Subject
    permit: Permit
    vcpus: int
    memory_mib: int
    firmware: Firmware
    root_volume_id: str
    port_ids: _containers.RepeatedScalarFieldContainer[str]
    guest_data: GuestData
    power: Power
    restart: Restart
    project_id: str
    has_left_source: bool
    def __init__(self, subject: _Optional[_Union[Subject, _Mapping]] = ..., permit: _Optional[_Union[Permit, _Mapping]] = ..., vcpus: _Optional[int] = ..., memory_mib: _Optional[int] = ..., firmware: _Optional[_Union[Firmware, str]] = ..., root_volume_id: _Optional[str] = ..., port_ids: _Optional[_Iterable[str]] = ..., guest_data: _Optional[_Union[GuestData, _Mapping]] = ..., power: _Optional[_Union[Power, str]] = ..., restart: _Optional[_Union[Restart, _Mapping]] = ..., project_id: _Optional[str] = ..., has_left_source: _Optional[bool] = ...) -> None: ...

class InstanceState(_message.Message):
    __slots__ = ("subject", "power", "virt_type", "restart_count", "reason", "guest_agent")
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    POWER_FIELD_NUMBER: _ClassVar[int]
    VIRT_TYPE_FIELD_NUMBER: _ClassVar[int]
    RESTART_COUNT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    GUEST_AGENT_FIELD_NUMBER: _ClassVar[int]
    subject: Subject
    power: Power
    virt_type: str
    restart_count: int
    reason: str
    guest_agent: GuestAgentState
    def __init__(self, subject: _Optional[_Union[Subject, _Mapping]] = ..., power: _Optional[_Union[Power, str]] = ..., virt_type: _Optional[str] = ..., restart_count: _Optional[int] = ..., reason: _Optional[str] = ..., guest_agent: _Optional[_Union[GuestAgentState, str]] = ...) -> None: ...

class FreezeInstanceRequest(_message.Message):
    __slots__ = ("instance_id", "limit_ms", "level")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    LIMIT_MS_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    limit_ms: int
    level: FreezeLevel
    def __init__(self, instance_id: _Optional[str] = ..., limit_ms: _Optional[int] = ..., level: _Optional[_Union[FreezeLevel, str]] = ...) -> None: ...

class FrozenState(_message.Message):
    __slots__ = ("file_systems",)
    FILE_SYSTEMS_FIELD_NUMBER: _ClassVar[int]
    file_systems: int
    def __init__(self, file_systems: _Optional[int] = ...) -> None: ...

class ThawInstanceRequest(_message.Message):
    __slots__ = ("instance_id",)
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    def __init__(self, instance_id: _Optional[str] = ...) -> None: ...

class ThawedState(_message.Message):
    __slots__ = ("file_systems", "was_frozen")
    FILE_SYSTEMS_FIELD_NUMBER: _ClassVar[int]
    WAS_FROZEN_FIELD_NUMBER: _ClassVar[int]
    file_systems: int
    was_frozen: bool
    def __init__(self, file_systems: _Optional[int] = ..., was_frozen: _Optional[bool] = ...) -> None: ...

class EnsureArrivalRequest(_message.Message):
    __slots__ = ("instance", "source", "plugged")
    INSTANCE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    PLUGGED_FIELD_NUMBER: _ClassVar[int]
    instance: EnsureInstanceRequest
    source: Peer
    plugged: _containers.RepeatedCompositeFieldContainer[Plugged]
    def __init__(self, instance: _Optional[_Union[EnsureInstanceRequest, _Mapping]] = ..., source: _Optional[_Union[Peer, _Mapping]] = ..., plugged: _Optional[_Iterable[_Union[Plugged, _Mapping]]] = ...) -> None: ...

class Plugged(_message.Message):
    __slots__ = ("subject", "volume_id", "is_read_only", "is_shared")
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    VOLUME_ID_FIELD_NUMBER: _ClassVar[int]
    IS_READ_ONLY_FIELD_NUMBER: _ClassVar[int]
    IS_SHARED_FIELD_NUMBER: _ClassVar[int]
    subject: Subject
    volume_id: str
    is_read_only: bool
    is_shared: bool
    def __init__(self, subject: _Optional[_Union[Subject, _Mapping]] = ..., volume_id: _Optional[str] = ..., is_read_only: _Optional[bool] = ..., is_shared: _Optional[bool] = ...) -> None: ...

class Peer(_message.Message):
    __slots__ = ("node_id", "certificate_sha256")
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATE_SHA256_FIELD_NUMBER: _ClassVar[int]
    node_id: str
    certificate_sha256: str
    def __init__(self, node_id: _Optional[str] = ..., certificate_sha256: _Optional[str] = ...) -> None: ...

class ArrivalState(_message.Message):
    __slots__ = ("subject", "uri", "cpu_model")
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    URI_FIELD_NUMBER: _ClassVar[int]
    CPU_MODEL_FIELD_NUMBER: _ClassVar[int]
    subject: Subject
    uri: str
    cpu_model: str
    def __init__(self, subject: _Optional[_Union[Subject, _Mapping]] = ..., uri: _Optional[str] = ..., cpu_model: _Optional[str] = ...) -> None: ...

class EnsureDepartureRequest(_message.Message):
    __slots__ = ("subject", "permit", "destination", "uri", "deadline_s", "max_pause_ms", "convergence", "is_off")
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    PERMIT_FIELD_NUMBER: _ClassVar[int]
    DESTINATION_FIELD_NUMBER: _ClassVar[int]
    URI_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_S_FIELD_NUMBER: _ClassVar[int]
    MAX_PAUSE_MS_FIELD_NUMBER: _ClassVar[int]
    CONVERGENCE_FIELD_NUMBER: _ClassVar[int]
    IS_OFF_FIELD_NUMBER: _ClassVar[int]
    subject: Subject
    permit: Permit
    destination: Peer
    uri: str
    deadline_s: int
    max_pause_ms: int
    convergence: Convergence
    is_off: bool
    def __init__(self, subject: _Optional[_Union[Subject, _Mapping]] = ..., permit: _Optional[_Union[Permit, _Mapping]] = ..., destination: _Optional[_Union[Peer, _Mapping]] = ..., uri: _Optional[str] = ..., deadline_s: _Optional[int] = ..., max_pause_ms: _Optional[int] = ..., convergence: _Optional[_Union[Convergence, str]] = ..., is_off: _Optional[bool] = ...) -> None: ...

class DepartureState(_message.Message):
    __slots__ = ("subject", "phase", "reason", "total_bytes", "moved_bytes", "pause_ms")
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    PHASE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    TOTAL_BYTES_FIELD_NUMBER: _ClassVar[int]
    MOVED_BYTES_FIELD_NUMBER: _ClassVar[int]
    PAUSE_MS_FIELD_NUMBER: _ClassVar[int]
    subject: Subject
    phase: MovePhase
    reason: str
    total_bytes: int
    moved_bytes: int
    pause_ms: int
    def __init__(self, subject: _Optional[_Union[Subject, _Mapping]] = ..., phase: _Optional[_Union[MovePhase, str]] = ..., reason: _Optional[str] = ..., total_bytes: _Optional[int] = ..., moved_bytes: _Optional[int] = ..., pause_ms: _Optional[int] = ...) -> None: ...

class EnsureAttachmentRequest(_message.Message):
    __slots__ = ("subject", "permit", "instance_id", "volume_id", "is_read_only", "is_shared")
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    PERMIT_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    VOLUME_ID_FIELD_NUMBER: _ClassVar[int]
    IS_READ_ONLY_FIELD_NUMBER: _ClassVar[int]
    IS_SHARED_FIELD_NUMBER: _ClassVar[int]
    subject: Subject
    permit: Permit
    instance_id: str
    volume_id: str
    is_read_only: bool
    is_shared: bool
    def __init__(self, subject: _Optional[_Union[Subject, _Mapping]] = ..., permit: _Optional[_Union[Permit, _Mapping]] = ..., instance_id: _Optional[str] = ..., volume_id: _Optional[str] = ..., is_read_only: _Optional[bool] = ..., is_shared: _Optional[bool] = ...) -> None: ...

class AttachmentState(_message.Message):
    __slots__ = ("subject", "instance_id", "volume_id", "serial")
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    VOLUME_ID_FIELD_NUMBER: _ClassVar[int]
    SERIAL_FIELD_NUMBER: _ClassVar[int]
    subject: Subject
    instance_id: str
    volume_id: str
    serial: str
    def __init__(self, subject: _Optional[_Union[Subject, _Mapping]] = ..., instance_id: _Optional[str] = ..., volume_id: _Optional[str] = ..., serial: _Optional[str] = ...) -> None: ...

class EnsureQuarantineRequest(_message.Message):
    __slots__ = ("subject", "kind", "name", "is_released")
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    IS_RELEASED_FIELD_NUMBER: _ClassVar[int]
    subject: Subject
    kind: StrayKind
    name: str
    is_released: bool
    def __init__(self, subject: _Optional[_Union[Subject, _Mapping]] = ..., kind: _Optional[_Union[StrayKind, str]] = ..., name: _Optional[str] = ..., is_released: _Optional[bool] = ...) -> None: ...

class QuarantineState(_message.Message):
    __slots__ = ("subject", "is_present", "size_bytes", "is_harmless")
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    IS_PRESENT_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    IS_HARMLESS_FIELD_NUMBER: _ClassVar[int]
    subject: Subject
    is_present: bool
    size_bytes: int
    is_harmless: bool
    def __init__(self, subject: _Optional[_Union[Subject, _Mapping]] = ..., is_present: _Optional[bool] = ..., size_bytes: _Optional[int] = ..., is_harmless: _Optional[bool] = ...) -> None: ...

class Stray(_message.Message):
    __slots__ = ("kind", "name", "size_bytes", "power", "is_harmless", "mac")
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    POWER_FIELD_NUMBER: _ClassVar[int]
    IS_HARMLESS_FIELD_NUMBER: _ClassVar[int]
    MAC_FIELD_NUMBER: _ClassVar[int]
    kind: StrayKind
    name: str
    size_bytes: int
    power: Power
    is_harmless: bool
    mac: str
    def __init__(self, kind: _Optional[_Union[StrayKind, str]] = ..., name: _Optional[str] = ..., size_bytes: _Optional[int] = ..., power: _Optional[_Union[Power, str]] = ..., is_harmless: _Optional[bool] = ..., mac: _Optional[str] = ...) -> None: ...

class DescribeRequest(_message.Message):
    __slots__ = ("ids",)
    IDS_FIELD_NUMBER: _ClassVar[int]
    ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, ids: _Optional[_Iterable[str]] = ...) -> None: ...

class Inventory(_message.Message):
    __slots__ = ("node_id", "zone", "agent_version", "boot_id", "cores", "memory_mib", "disk_gib", "cpu_model", "virt_type", "traits", "pools")
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    ZONE_FIELD_NUMBER: _ClassVar[int]
    AGENT_VERSION_FIELD_NUMBER: _ClassVar[int]
    BOOT_ID_FIELD_NUMBER: _ClassVar[int]
    CORES_FIELD_NUMBER: _ClassVar[int]
    MEMORY_MIB_FIELD_NUMBER: _ClassVar[int]
    DISK_GIB_FIELD_NUMBER: _ClassVar[int]
    CPU_MODEL_FIELD_NUMBER: _ClassVar[int]
    VIRT_TYPE_FIELD_NUMBER: _ClassVar[int]
    TRAITS_FIELD_NUMBER: _ClassVar[int]
    POOLS_FIELD_NUMBER: _ClassVar[int]
    node_id: str
    zone: str
    agent_version: str
    boot_id: str
    cores: int
    memory_mib: int
    disk_gib: int
    cpu_model: str
    virt_type: str
    traits: _containers.RepeatedScalarFieldContainer[str]
    pools: _containers.RepeatedCompositeFieldContainer[Pool]
    def __init__(self, node_id: _Optional[str] = ..., zone: _Optional[str] = ..., agent_version: _Optional[str] = ..., boot_id: _Optional[str] = ..., cores: _Optional[int] = ..., memory_mib: _Optional[int] = ..., disk_gib: _Optional[int] = ..., cpu_model: _Optional[str] = ..., virt_type: _Optional[str] = ..., traits: _Optional[_Iterable[str]] = ..., pools: _Optional[_Iterable[_Union[Pool, _Mapping]]] = ...) -> None: ...

class Pool(_message.Message):
    __slots__ = ("name", "uuid", "path", "size_gib")
    NAME_FIELD_NUMBER: _ClassVar[int]
    UUID_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    SIZE_GIB_FIELD_NUMBER: _ClassVar[int]
    name: str
    uuid: str
    path: str
    size_gib: int
    def __init__(self, name: _Optional[str] = ..., uuid: _Optional[str] = ..., path: _Optional[str] = ..., size_gib: _Optional[int] = ...) -> None: ...

class NodeDescription(_message.Message):
    __slots__ = ("inventory", "instances", "volumes", "ports", "attachments", "images", "unknown_domains", "strays", "volume_copies", "lost_domains")
    INVENTORY_FIELD_NUMBER: _ClassVar[int]
    INSTANCES_FIELD_NUMBER: _ClassVar[int]
    VOLUMES_FIELD_NUMBER: _ClassVar[int]
    PORTS_FIELD_NUMBER: _ClassVar[int]
    ATTACHMENTS_FIELD_NUMBER: _ClassVar[int]
    IMAGES_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_DOMAINS_FIELD_NUMBER: _ClassVar[int]
    STRAYS_FIELD_NUMBER: _ClassVar[int]
    VOLUME_COPIES_FIELD_NUMBER: _ClassVar[int]
    LOST_DOMAINS_FIELD_NUMBER: _ClassVar[int]
    inventory: Inventory
    instances: _containers.RepeatedCompositeFieldContainer[InstanceState]
    volumes: _containers.RepeatedCompositeFieldContainer[VolumeState]
    ports: _containers.RepeatedCompositeFieldContainer[PortState]
    attachments: _containers.RepeatedCompositeFieldContainer[AttachmentState]
    images: _containers.RepeatedCompositeFieldContainer[ImageState]
    unknown_domains: _containers.RepeatedScalarFieldContainer[str]
    strays: _containers.RepeatedCompositeFieldContainer[Stray]
    volume_copies: _containers.RepeatedCompositeFieldContainer[VolumeCopyState]
    lost_domains: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, inventory: _Optional[_Union[Inventory, _Mapping]] = ..., instances: _Optional[_Iterable[_Union[InstanceState, _Mapping]]] = ..., volumes: _Optional[_Iterable[_Union[VolumeState, _Mapping]]] = ..., ports: _Optional[_Iterable[_Union[PortState, _Mapping]]] = ..., attachments: _Optional[_Iterable[_Union[AttachmentState, _Mapping]]] = ..., images: _Optional[_Iterable[_Union[ImageState, _Mapping]]] = ..., unknown_domains: _Optional[_Iterable[str]] = ..., strays: _Optional[_Iterable[_Union[Stray, _Mapping]]] = ..., volume_copies: _Optional[_Iterable[_Union[VolumeCopyState, _Mapping]]] = ..., lost_domains: _Optional[_Iterable[str]] = ...) -> None: ...

class WatchRequest(_message.Message):
    __slots__ = ("heartbeat_interval_ms", "receipts_after", "usage_interval_ms")
    HEARTBEAT_INTERVAL_MS_FIELD_NUMBER: _ClassVar[int]
    RECEIPTS_AFTER_FIELD_NUMBER: _ClassVar[int]
    USAGE_INTERVAL_MS_FIELD_NUMBER: _ClassVar[int]
    heartbeat_interval_ms: int
    receipts_after: int
    usage_interval_ms: int
    def __init__(self, heartbeat_interval_ms: _Optional[int] = ..., receipts_after: _Optional[int] = ..., usage_interval_ms: _Optional[int] = ...) -> None: ...

class NodeEvent(_message.Message):
    __slots__ = ("at_unix_ms", "heartbeat", "instance", "receipt", "signed_inventory", "usage")
    AT_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    SIGNED_INVENTORY_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    at_unix_ms: int
    heartbeat: Heartbeat
    instance: InstanceState
    receipt: Receipt
    signed_inventory: bytes
    usage: Usage
    def __init__(self, at_unix_ms: _Optional[int] = ..., heartbeat: _Optional[_Union[Heartbeat, _Mapping]] = ..., instance: _Optional[_Union[InstanceState, _Mapping]] = ..., receipt: _Optional[_Union[Receipt, _Mapping]] = ..., signed_inventory: _Optional[bytes] = ..., usage: _Optional[_Union[Usage, _Mapping]] = ...) -> None: ...

class Heartbeat(_message.Message):
    __slots__ = ("inventory", "instances", "trust", "hook", "lease", "self_test", "networks")
    INVENTORY_FIELD_NUMBER: _ClassVar[int]
    INSTANCES_FIELD_NUMBER: _ClassVar[int]
    TRUST_FIELD_NUMBER: _ClassVar[int]
    HOOK_FIELD_NUMBER: _ClassVar[int]
    LEASE_FIELD_NUMBER: _ClassVar[int]
    SELF_TEST_FIELD_NUMBER: _ClassVar[int]
    NETWORKS_FIELD_NUMBER: _ClassVar[int]
    inventory: Inventory
    instances: _containers.RepeatedCompositeFieldContainer[InstanceState]
    trust: TrustState
    hook: HookState
    lease: LeaseState
    self_test: SelfTest
    networks: NetworksState
    def __init__(self, inventory: _Optional[_Union[Inventory, _Mapping]] = ..., instances: _Optional[_Iterable[_Union[InstanceState, _Mapping]]] = ..., trust: _Optional[_Union[TrustState, _Mapping]] = ..., hook: _Optional[_Union[HookState, _Mapping]] = ..., lease: _Optional[_Union[LeaseState, _Mapping]] = ..., self_test: _Optional[_Union[SelfTest, _Mapping]] = ..., networks: _Optional[_Union[NetworksState, _Mapping]] = ...) -> None: ...

class RenewLeaseRequest(_message.Message):
    __slots__ = ("boot_id", "heard_at_ms", "duration_s")
    BOOT_ID_FIELD_NUMBER: _ClassVar[int]
    HEARD_AT_MS_FIELD_NUMBER: _ClassVar[int]
    DURATION_S_FIELD_NUMBER: _ClassVar[int]
    boot_id: str
    heard_at_ms: int
    duration_s: int
    def __init__(self, boot_id: _Optional[str] = ..., heard_at_ms: _Optional[int] = ..., duration_s: _Optional[int] = ...) -> None: ...

class LeaseState(_message.Message):
    __slots__ = ("is_wanted", "said_at_ms", "remaining_ms", "fences_within_s", "problem")
    IS_WANTED_FIELD_NUMBER: _ClassVar[int]
    SAID_AT_MS_FIELD_NUMBER: _ClassVar[int]
    REMAINING_MS_FIELD_NUMBER: _ClassVar[int]
    FENCES_WITHIN_S_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    is_wanted: bool
    said_at_ms: int
    remaining_ms: int
    fences_within_s: int
    problem: str
    def __init__(self, is_wanted: _Optional[bool] = ..., said_at_ms: _Optional[int] = ..., remaining_ms: _Optional[int] = ..., fences_within_s: _Optional[int] = ..., problem: _Optional[str] = ...) -> None: ...

class EnsureTrustRequest(_message.Message):
    __slots__ = ("keyset", "charter", "floor", "facts", "deny")
    KEYSET_FIELD_NUMBER: _ClassVar[int]
    CHARTER_FIELD_NUMBER: _ClassVar[int]
    FLOOR_FIELD_NUMBER: _ClassVar[int]
    FACTS_FIELD_NUMBER: _ClassVar[int]
    DENY_FIELD_NUMBER: _ClassVar[int]
    keyset: bytes
    charter: bytes
    floor: bytes
    facts: bytes
    deny: bytes
    def __init__(self, keyset: _Optional[bytes] = ..., charter: _Optional[bytes] = ..., floor: _Optional[bytes] = ..., facts: _Optional[bytes] = ..., deny: _Optional[bytes] = ...) -> None: ...

class TrustState(_message.Message):
    __slots__ = ("keyset_version", "charter_version", "epoch", "deny_version", "is_clock_kept", "floor_issued_at_unix_ms")
    KEYSET_VERSION_FIELD_NUMBER: _ClassVar[int]
    CHARTER_VERSION_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    DENY_VERSION_FIELD_NUMBER: _ClassVar[int]
    IS_CLOCK_KEPT_FIELD_NUMBER: _ClassVar[int]
    FLOOR_ISSUED_AT_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    keyset_version: int
    charter_version: int
    epoch: int
    deny_version: int
    is_clock_kept: bool
    floor_issued_at_unix_ms: int
    def __init__(self, keyset_version: _Optional[int] = ..., charter_version: _Optional[int] = ..., epoch: _Optional[int] = ..., deny_version: _Optional[int] = ..., is_clock_kept: _Optional[bool] = ..., floor_issued_at_unix_ms: _Optional[int] = ...) -> None: ...

class HookState(_message.Message):
    __slots__ = ("sha256", "is_active", "problem")
    SHA256_FIELD_NUMBER: _ClassVar[int]
    IS_ACTIVE_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    sha256: str
    is_active: bool
    problem: str
    def __init__(self, sha256: _Optional[str] = ..., is_active: _Optional[bool] = ..., problem: _Optional[str] = ...) -> None: ...

class SelfTest(_message.Message):
    __slots__ = ("has_passed", "problem")
    HAS_PASSED_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    has_passed: bool
    problem: str
    def __init__(self, has_passed: _Optional[bool] = ..., problem: _Optional[str] = ...) -> None: ...

class NetworksState(_message.Message):
    __slots__ = ("connections_problem", "rules_problem")
    CONNECTIONS_PROBLEM_FIELD_NUMBER: _ClassVar[int]
    RULES_PROBLEM_FIELD_NUMBER: _ClassVar[int]
    connections_problem: str
    rules_problem: str
    def __init__(self, connections_problem: _Optional[str] = ..., rules_problem: _Optional[str] = ...) -> None: ...

class Receipt(_message.Message):
    __slots__ = ("number", "document")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    number: int
    document: bytes
    def __init__(self, number: _Optional[int] = ..., document: _Optional[bytes] = ...) -> None: ...

class ReadConsoleRequest(_message.Message):
    __slots__ = ("instance_id", "offset", "max_bytes")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    MAX_BYTES_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    offset: int
    max_bytes: int
    def __init__(self, instance_id: _Optional[str] = ..., offset: _Optional[int] = ..., max_bytes: _Optional[int] = ...) -> None: ...

class ConsoleChunk(_message.Message):
    __slots__ = ("data", "offset", "total_bytes")
    DATA_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    TOTAL_BYTES_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    offset: int
    total_bytes: int
    def __init__(self, data: _Optional[bytes] = ..., offset: _Optional[int] = ..., total_bytes: _Optional[int] = ...) -> None: ...

class Usage(_message.Message):
    __slots__ = ("at_unix_ms", "guests")
    AT_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    GUESTS_FIELD_NUMBER: _ClassVar[int]
    at_unix_ms: int
    guests: _containers.RepeatedCompositeFieldContainer[GuestUsage]
    def __init__(self, at_unix_ms: _Optional[int] = ..., guests: _Optional[_Iterable[_Union[GuestUsage, _Mapping]]] = ...) -> None: ...

class GuestUsage(_message.Message):
    __slots__ = ("id", "vcpus", "cpu_ns", "memory_resident_mib", "memory_used_mib", "disks", "ports")
    ID_FIELD_NUMBER: _ClassVar[int]
    VCPUS_FIELD_NUMBER: _ClassVar[int]
    CPU_NS_FIELD_NUMBER: _ClassVar[int]
    MEMORY_RESIDENT_MIB_FIELD_NUMBER: _ClassVar[int]
    MEMORY_USED_MIB_FIELD_NUMBER: _ClassVar[int]
    DISKS_FIELD_NUMBER: _ClassVar[int]
    PORTS_FIELD_NUMBER: _ClassVar[int]
    id: str
    vcpus: int
    cpu_ns: int
    memory_resident_mib: int
    memory_used_mib: int
    disks: _containers.RepeatedCompositeFieldContainer[DiskUsage]
    ports: _containers.RepeatedCompositeFieldContainer[PortUsage]
    def __init__(self, id: _Optional[str] = ..., vcpus: _Optional[int] = ..., cpu_ns: _Optional[int] = ..., memory_resident_mib: _Optional[int] = ..., memory_used_mib: _Optional[int] = ..., disks: _Optional[_Iterable[_Union[DiskUsage, _Mapping]]] = ..., ports: _Optional[_Iterable[_Union[PortUsage, _Mapping]]] = ...) -> None: ...

class DiskUsage(_message.Message):
    __slots__ = ("volume_id", "read_bytes", "written_bytes", "reads", "writes")
    VOLUME_ID_FIELD_NUMBER: _ClassVar[int]
    READ_BYTES_FIELD_NUMBER: _ClassVar[int]
    WRITTEN_BYTES_FIELD_NUMBER: _ClassVar[int]
    READS_FIELD_NUMBER: _ClassVar[int]
    WRITES_FIELD_NUMBER: _ClassVar[int]
    volume_id: str
    read_bytes: int
    written_bytes: int
    reads: int
    writes: int
    def __init__(self, volume_id: _Optional[str] = ..., read_bytes: _Optional[int] = ..., written_bytes: _Optional[int] = ..., reads: _Optional[int] = ..., writes: _Optional[int] = ...) -> None: ...

class PortUsage(_message.Message):
    __slots__ = ("port_id", "in_bytes", "out_bytes", "in_packets", "out_packets", "in_dropped", "out_dropped", "rules")
    PORT_ID_FIELD_NUMBER: _ClassVar[int]
    IN_BYTES_FIELD_NUMBER: _ClassVar[int]
    OUT_BYTES_FIELD_NUMBER: _ClassVar[int]
    IN_PACKETS_FIELD_NUMBER: _ClassVar[int]
    OUT_PACKETS_FIELD_NUMBER: _ClassVar[int]
    IN_DROPPED_FIELD_NUMBER: _ClassVar[int]
    OUT_DROPPED_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    port_id: str
    in_bytes: int
    out_bytes: int
    in_packets: int
    out_packets: int
    in_dropped: int
    out_dropped: int
    rules: RuleCounters
    def __init__(self, port_id: _Optional[str] = ..., in_bytes: _Optional[int] = ..., out_bytes: _Optional[int] = ..., in_packets: _Optional[int] = ..., out_packets: _Optional[int] = ..., in_dropped: _Optional[int] = ..., out_dropped: _Optional[int] = ..., rules: _Optional[_Union[RuleCounters, _Mapping]] = ...) -> None: ...

class RuleCounters(_message.Message):
    __slots__ = ("group_in_dropped", "group_out_dropped", "bandwidth_in_dropped", "bandwidth_out_dropped", "hits")
    GROUP_IN_DROPPED_FIELD_NUMBER: _ClassVar[int]
    GROUP_OUT_DROPPED_FIELD_NUMBER: _ClassVar[int]
    BANDWIDTH_IN_DROPPED_FIELD_NUMBER: _ClassVar[int]
    BANDWIDTH_OUT_DROPPED_FIELD_NUMBER: _ClassVar[int]
    HITS_FIELD_NUMBER: _ClassVar[int]
    group_in_dropped: int
    group_out_dropped: int
    bandwidth_in_dropped: int
    bandwidth_out_dropped: int
    hits: _containers.RepeatedCompositeFieldContainer[RuleHits]
    def __init__(self, group_in_dropped: _Optional[int] = ..., group_out_dropped: _Optional[int] = ..., bandwidth_in_dropped: _Optional[int] = ..., bandwidth_out_dropped: _Optional[int] = ..., hits: _Optional[_Iterable[_Union[RuleHits, _Mapping]]] = ...) -> None: ...

class RuleHits(_message.Message):
    __slots__ = ("rule_id", "packets")
    RULE_ID_FIELD_NUMBER: _ClassVar[int]
    PACKETS_FIELD_NUMBER: _ClassVar[int]
    rule_id: str
    packets: int
    def __init__(self, rule_id: _Optional[str] = ..., packets: _Optional[int] = ...) -> None: ...

class ConsoleHeader(_message.Message):
    __slots__ = ("instance_id", "kind", "scrollback_bytes")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    SCROLLBACK_BYTES_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    kind: ConsoleKind
    scrollback_bytes: int
    def __init__(self, instance_id: _Optional[str] = ..., kind: _Optional[_Union[ConsoleKind, str]] = ..., scrollback_bytes: _Optional[int] = ...) -> None: ...

class ConsoleInput(_message.Message):
    __slots__ = ("header", "data")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    header: ConsoleHeader
    data: bytes
    def __init__(self, header: _Optional[_Union[ConsoleHeader, _Mapping]] = ..., data: _Optional[bytes] = ...) -> None: ...

class ConsoleOutput(_message.Message):
    __slots__ = ("data",)
    DATA_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    def __init__(self, data: _Optional[bytes] = ...) -> None: ...

class TcpHeader(_message.Message):
    __slots__ = ("instance_id", "port_id", "address", "tcp_port")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    PORT_ID_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    TCP_PORT_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    port_id: str
    address: str
    tcp_port: int
    def __init__(self, instance_id: _Optional[str] = ..., port_id: _Optional[str] = ..., address: _Optional[str] = ..., tcp_port: _Optional[int] = ...) -> None: ...

class TcpInput(_message.Message):
    __slots__ = ("header", "data")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    header: TcpHeader
    data: bytes
    def __init__(self, header: _Optional[_Union[TcpHeader, _Mapping]] = ..., data: _Optional[bytes] = ...) -> None: ...

class TcpOutput(_message.Message):
    __slots__ = ("data", "is_end")
    DATA_FIELD_NUMBER: _ClassVar[int]
    IS_END_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    is_end: bool
    def __init__(self, data: _Optional[bytes] = ..., is_end: _Optional[bool] = ...) -> None: ...
