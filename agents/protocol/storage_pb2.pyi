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
IMAGE_FORMAT_UNSPECIFIED: ImageFormat
IMAGE_FORMAT_QCOW2: ImageFormat
IMAGE_FORMAT_RAW: ImageFormat

class Permit(_message.Message):
    __slots__ = ("document", "policies", "cosignature")
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    POLICIES_FIELD_NUMBER: _ClassVar[int]
    COSIGNATURE_FIELD_NUMBER: _ClassVar[int]
    document: bytes
    policies: bytes
    cosignature: bytes
    def __init__(self, document: _Optional[bytes] = ..., policies: _Optional[bytes] = ..., cosignature: _Optional[bytes] = ...) -> None: ...

class Removed(_message.Message):
    __slots__ = ("was_present",)
    WAS_PRESENT_FIELD_NUMBER: _ClassVar[int]
    was_present: bool
    def __init__(self, was_present: _Optional[bool] = ...) -> None: ...

class DescribeRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StorageDescription(_message.Message):
    __slots__ = ("fsid", "monitors", "pools", "health", "problems", "ceph_version", "software_version", "keyset_version", "deny_version", "capabilities")
    FSID_FIELD_NUMBER: _ClassVar[int]
    MONITORS_FIELD_NUMBER: _ClassVar[int]
    POOLS_FIELD_NUMBER: _ClassVar[int]
    HEALTH_FIELD_NUMBER: _ClassVar[int]
    PROBLEMS_FIELD_NUMBER: _ClassVar[int]
    CEPH_VERSION_FIELD_NUMBER: _ClassVar[int]
    SOFTWARE_VERSION_FIELD_NUMBER: _ClassVar[int]
    KEYSET_VERSION_FIELD_NUMBER: _ClassVar[int]
    DENY_VERSION_FIELD_NUMBER: _ClassVar[int]
    CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    fsid: str
    monitors: _containers.RepeatedScalarFieldContainer[str]
    pools: _containers.RepeatedCompositeFieldContainer[StoragePool]
    health: str
    problems: _containers.RepeatedScalarFieldContainer[str]
    ceph_version: str
    software_version: str
    keyset_version: int
    deny_version: int
    capabilities: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, fsid: _Optional[str] = ..., monitors: _Optional[_Iterable[str]] = ..., pools: _Optional[_Iterable[_Union[StoragePool, _Mapping]]] = ..., health: _Optional[str] = ..., problems: _Optional[_Iterable[str]] = ..., ceph_version: _Optional[str] = ..., software_version: _Optional[str] = ..., keyset_version: _Optional[int] = ..., deny_version: _Optional[int] = ..., capabilities: _Optional[_Iterable[str]] = ...) -> None: ...

class StoragePool(_message.Message):
    __slots__ = ("name", "size_bytes", "used_bytes", "free_bytes", "replicas", "is_nearly_full", "trash_count", "trash_since_s")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    USED_BYTES_FIELD_NUMBER: _ClassVar[int]
    FREE_BYTES_FIELD_NUMBER: _ClassVar[int]
    REPLICAS_FIELD_NUMBER: _ClassVar[int]
    IS_NEARLY_FULL_FIELD_NUMBER: _ClassVar[int]
    TRASH_COUNT_FIELD_NUMBER: _ClassVar[int]
    TRASH_SINCE_S_FIELD_NUMBER: _ClassVar[int]
    name: str
    size_bytes: int
    used_bytes: int
    free_bytes: int
    replicas: int
    is_nearly_full: bool
    trash_count: int
    trash_since_s: int
    def __init__(self, name: _Optional[str] = ..., size_bytes: _Optional[int] = ..., used_bytes: _Optional[int] = ..., free_bytes: _Optional[int] = ..., replicas: _Optional[int] = ..., is_nearly_full: _Optional[bool] = ..., trash_count: _Optional[int] = ..., trash_since_s: _Optional[int] = ...) -> None: ...

class EnsureTrustRequest(_message.Message):
    __slots__ = ("keyset", "charters", "floor", "facts", "deny")
    KEYSET_FIELD_NUMBER: _ClassVar[int]
    CHARTERS_FIELD_NUMBER: _ClassVar[int]
    FLOOR_FIELD_NUMBER: _ClassVar[int]
    FACTS_FIELD_NUMBER: _ClassVar[int]
    DENY_FIELD_NUMBER: _ClassVar[int]
    keyset: bytes
    charters: _containers.RepeatedScalarFieldContainer[bytes]
    floor: bytes
    facts: bytes
    deny: bytes
    def __init__(self, keyset: _Optional[bytes] = ..., charters: _Optional[_Iterable[bytes]] = ..., floor: _Optional[bytes] = ..., facts: _Optional[bytes] = ..., deny: _Optional[bytes] = ...) -> None: ...

class StorageTrust(_message.Message):
    __slots__ = ("keyset_version", "deny_version", "epoch", "is_clock_kept")
    KEYSET_VERSION_FIELD_NUMBER: _ClassVar[int]
    DENY_VERSION_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    IS_CLOCK_KEPT_FIELD_NUMBER: _ClassVar[int]
    keyset_version: int
    deny_version: int
    epoch: int
    is_clock_kept: bool
    def __init__(self, keyset_version: _Optional[int] = ..., deny_version: _Optional[int] = ..., epoch: _Optional[int] = ..., is_clock_kept: _Optional[bool] = ...) -> None: ...

class ImageHeader(_message.Message):
    __slots__ = ("sha256", "size_bytes", "format", "permit", "pool")
    SHA256_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    PERMIT_FIELD_NUMBER: _ClassVar[int]
    POOL_FIELD_NUMBER: _ClassVar[int]
    sha256: str
    size_bytes: int
    format: ImageFormat
    permit: Permit
    pool: str
    def __init__(self, sha256: _Optional[str] = ..., size_bytes: _Optional[int] = ..., format: _Optional[_Union[ImageFormat, str]] = ..., permit: _Optional[_Union[Permit, _Mapping]] = ..., pool: _Optional[str] = ...) -> None: ...

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
    __slots__ = ("sha256", "pool")
    SHA256_FIELD_NUMBER: _ClassVar[int]
    POOL_FIELD_NUMBER: _ClassVar[int]
    sha256: str
    pool: str
    def __init__(self, sha256: _Optional[str] = ..., pool: _Optional[str] = ...) -> None: ...

class EnsureVolumeRequest(_message.Message):
    __slots__ = ("permit", "volume_id", "pool", "size_bytes", "image_sha256", "is_taken_over", "snapshot", "generation", "is_multi_attach")
    PERMIT_FIELD_NUMBER: _ClassVar[int]
    VOLUME_ID_FIELD_NUMBER: _ClassVar[int]
    POOL_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    IMAGE_SHA256_FIELD_NUMBER: _ClassVar[int]
    IS_TAKEN_OVER_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    IS_MULTI_ATTACH_FIELD_NUMBER: _ClassVar[int]
    permit: Permit
    volume_id: str
    pool: str
    size_bytes: int
    image_sha256: str
    is_taken_over: bool
    snapshot: SnapshotSource
    generation: int
    is_multi_attach: bool
    def __init__(self, permit: _Optional[_Union[Permit, _Mapping]] = ..., volume_id: _Optional[str] = ..., pool: _Optional[str] = ..., size_bytes: _Optional[int] = ..., image_sha256: _Optional[str] = ..., is_taken_over: _Optional[bool] = ..., snapshot: _Optional[_Union[SnapshotSource, _Mapping]] = ..., generation: _Optional[int] = ..., is_multi_attach: _Optional[bool] = ...) -> None: ...

class SnapshotSource(_message.Message):
    __slots__ = ("pool", "volume_id", "snapshot_id")
    POOL_FIELD_NUMBER: _ClassVar[int]
    VOLUME_ID_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_ID_FIELD_NUMBER: _ClassVar[int]
    pool: str
    volume_id: str
    snapshot_id: str
    def __init__(self, pool: _Optional[str] = ..., volume_id: _Optional[str] = ..., snapshot_id: _Optional[str] = ...) -> None: ...

class VolumeState(_message.Message):
    __slots__ = ("volume_id", "pool", "size_bytes", "watchers")
    VOLUME_ID_FIELD_NUMBER: _ClassVar[int]
    POOL_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    WATCHERS_FIELD_NUMBER: _ClassVar[int]
    volume_id: str
    pool: str
    size_bytes: int
    watchers: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, volume_id: _Optional[str] = ..., pool: _Optional[str] = ..., size_bytes: _Optional[int] = ..., watchers: _Optional[_Iterable[str]] = ...) -> None: ...

class OpenVolumeRequest(_message.Message):
    __slots__ = ("permit", "volume_id", "pool", "is_shared", "addresses")
    PERMIT_FIELD_NUMBER: _ClassVar[int]
    VOLUME_ID_FIELD_NUMBER: _ClassVar[int]
    POOL_FIELD_NUMBER: _ClassVar[int]
    IS_SHARED_FIELD_NUMBER: _ClassVar[int]
    ADDRESSES_FIELD_NUMBER: _ClassVar[int]
    permit: Permit
    volume_id: str
    pool: str
    is_shared: bool
    addresses: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, permit: _Optional[_Union[Permit, _Mapping]] = ..., volume_id: _Optional[str] = ..., pool: _Optional[str] = ..., is_shared: _Optional[bool] = ..., addresses: _Optional[_Iterable[str]] = ...) -> None: ...

class VolumeKey(_message.Message):
    __slots__ = ("client", "key", "monitors", "pool", "image")
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    MONITORS_FIELD_NUMBER: _ClassVar[int]
    POOL_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    client: str
    key: bytes
    monitors: _containers.RepeatedScalarFieldContainer[str]
    pool: str
    image: str
    def __init__(self, client: _Optional[str] = ..., key: _Optional[bytes] = ..., monitors: _Optional[_Iterable[str]] = ..., pool: _Optional[str] = ..., image: _Optional[str] = ...) -> None: ...

class CloseVolumeRequest(_message.Message):
    __slots__ = ("volume_id", "pool", "node_id", "is_dead")
    VOLUME_ID_FIELD_NUMBER: _ClassVar[int]
    POOL_FIELD_NUMBER: _ClassVar[int]
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    IS_DEAD_FIELD_NUMBER: _ClassVar[int]
    volume_id: str
    pool: str
    node_id: str
    is_dead: bool
    def __init__(self, volume_id: _Optional[str] = ..., pool: _Optional[str] = ..., node_id: _Optional[str] = ..., is_dead: _Optional[bool] = ...) -> None: ...

class Closed(_message.Message):
    __slots__ = ("was_open", "fenced", "watchers")
    WAS_OPEN_FIELD_NUMBER: _ClassVar[int]
    FENCED_FIELD_NUMBER: _ClassVar[int]
    WATCHERS_FIELD_NUMBER: _ClassVar[int]
    was_open: bool
    fenced: _containers.RepeatedScalarFieldContainer[str]
    watchers: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, was_open: _Optional[bool] = ..., fenced: _Optional[_Iterable[str]] = ..., watchers: _Optional[_Iterable[str]] = ...) -> None: ...

class RemoveVolumeRequest(_message.Message):
    __slots__ = ("volume_id", "pool", "generation")
    VOLUME_ID_FIELD_NUMBER: _ClassVar[int]
    POOL_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    volume_id: str
    pool: str
    generation: int
    def __init__(self, volume_id: _Optional[str] = ..., pool: _Optional[str] = ..., generation: _Optional[int] = ...) -> None: ...

class ListVolumesRequest(_message.Message):
    __slots__ = ("pool", "after")
    POOL_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    pool: str
    after: str
    def __init__(self, pool: _Optional[str] = ..., after: _Optional[str] = ...) -> None: ...

class VolumePage(_message.Message):
    __slots__ = ("volumes",)
    VOLUMES_FIELD_NUMBER: _ClassVar[int]
    volumes: _containers.RepeatedCompositeFieldContainer[ListedVolume]
    def __init__(self, volumes: _Optional[_Iterable[_Union[ListedVolume, _Mapping]]] = ...) -> None: ...

class ListedVolume(_message.Message):
    __slots__ = ("name", "size_bytes", "snapshots", "has_more_snapshots")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOTS_FIELD_NUMBER: _ClassVar[int]
    HAS_MORE_SNAPSHOTS_FIELD_NUMBER: _ClassVar[int]
    name: str
    size_bytes: int
    snapshots: _containers.RepeatedScalarFieldContainer[str]
    has_more_snapshots: bool
    def __init__(self, name: _Optional[str] = ..., size_bytes: _Optional[int] = ..., snapshots: _Optional[_Iterable[str]] = ..., has_more_snapshots: _Optional[bool] = ...) -> None: ...

class EnsureSnapshotRequest(_message.Message):
    __slots__ = ("permit", "volume_id", "pool", "snapshot_id", "size_bytes")
    PERMIT_FIELD_NUMBER: _ClassVar[int]
    VOLUME_ID_FIELD_NUMBER: _ClassVar[int]
    POOL_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_ID_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    permit: Permit
    volume_id: str
    pool: str
    snapshot_id: str
    size_bytes: int
    def __init__(self, permit: _Optional[_Union[Permit, _Mapping]] = ..., volume_id: _Optional[str] = ..., pool: _Optional[str] = ..., snapshot_id: _Optional[str] = ..., size_bytes: _Optional[int] = ...) -> None: ...

class SnapshotState(_message.Message):
    __slots__ = ("snapshot_id", "volume_id", "size_bytes", "taken_at_ms")
    SNAPSHOT_ID_FIELD_NUMBER: _ClassVar[int]
    VOLUME_ID_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    TAKEN_AT_MS_FIELD_NUMBER: _ClassVar[int]
    snapshot_id: str
    volume_id: str
    size_bytes: int
    taken_at_ms: int
    def __init__(self, snapshot_id: _Optional[str] = ..., volume_id: _Optional[str] = ..., size_bytes: _Optional[int] = ..., taken_at_ms: _Optional[int] = ...) -> None: ...

class RemoveSnapshotRequest(_message.Message):
    __slots__ = ("volume_id", "pool", "snapshot_id")
    VOLUME_ID_FIELD_NUMBER: _ClassVar[int]
    POOL_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_ID_FIELD_NUMBER: _ClassVar[int]
    volume_id: str
    pool: str
    snapshot_id: str
    def __init__(self, volume_id: _Optional[str] = ..., pool: _Optional[str] = ..., snapshot_id: _Optional[str] = ...) -> None: ...

class ListSnapshotsRequest(_message.Message):
    __slots__ = ("volume_id", "pool", "after")
    VOLUME_ID_FIELD_NUMBER: _ClassVar[int]
    POOL_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    volume_id: str
    pool: str
    after: str
    def __init__(self, volume_id: _Optional[str] = ..., pool: _Optional[str] = ..., after: _Optional[str] = ...) -> None: ...

class SnapshotPage(_message.Message):
    __slots__ = ("snapshots",)
    SNAPSHOTS_FIELD_NUMBER: _ClassVar[int]
    snapshots: _containers.RepeatedCompositeFieldContainer[SnapshotState]
    def __init__(self, snapshots: _Optional[_Iterable[_Union[SnapshotState, _Mapping]]] = ...) -> None: ...

class RevertVolumeRequest(_message.Message):
    __slots__ = ("permit", "volume_id", "pool", "snapshot_id", "size_bytes")
    PERMIT_FIELD_NUMBER: _ClassVar[int]
    VOLUME_ID_FIELD_NUMBER: _ClassVar[int]
    POOL_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_ID_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    permit: Permit
    volume_id: str
    pool: str
    snapshot_id: str
    size_bytes: int
    def __init__(self, permit: _Optional[_Union[Permit, _Mapping]] = ..., volume_id: _Optional[str] = ..., pool: _Optional[str] = ..., snapshot_id: _Optional[str] = ..., size_bytes: _Optional[int] = ...) -> None: ...

class FinishRevertRequest(_message.Message):
    __slots__ = ("volume_id", "pool", "snapshot_id", "generation")
    VOLUME_ID_FIELD_NUMBER: _ClassVar[int]
    POOL_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_ID_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    volume_id: str
    pool: str
    snapshot_id: str
    generation: int
    def __init__(self, volume_id: _Optional[str] = ..., pool: _Optional[str] = ..., snapshot_id: _Optional[str] = ..., generation: _Optional[int] = ...) -> None: ...

class FinishedRevert(_message.Message):
    __slots__ = ("has_begun",)
    HAS_BEGUN_FIELD_NUMBER: _ClassVar[int]
    has_begun: bool
    def __init__(self, has_begun: _Optional[bool] = ...) -> None: ...

class ReadSnapshotRequest(_message.Message):
    __slots__ = ("permit", "volume_id", "pool", "snapshot_id")
    PERMIT_FIELD_NUMBER: _ClassVar[int]
    VOLUME_ID_FIELD_NUMBER: _ClassVar[int]
    POOL_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_ID_FIELD_NUMBER: _ClassVar[int]
    permit: Permit
    volume_id: str
    pool: str
    snapshot_id: str
    def __init__(self, permit: _Optional[_Union[Permit, _Mapping]] = ..., volume_id: _Optional[str] = ..., pool: _Optional[str] = ..., snapshot_id: _Optional[str] = ...) -> None: ...

class SnapshotPart(_message.Message):
    __slots__ = ("header", "extent", "end")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    EXTENT_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    header: SnapshotHeader
    extent: SnapshotExtent
    end: SnapshotEnd
    def __init__(self, header: _Optional[_Union[SnapshotHeader, _Mapping]] = ..., extent: _Optional[_Union[SnapshotExtent, _Mapping]] = ..., end: _Optional[_Union[SnapshotEnd, _Mapping]] = ...) -> None: ...

class SnapshotHeader(_message.Message):
    __slots__ = ("size_bytes", "used_bytes")
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    USED_BYTES_FIELD_NUMBER: _ClassVar[int]
    size_bytes: int
    used_bytes: int
    def __init__(self, size_bytes: _Optional[int] = ..., used_bytes: _Optional[int] = ...) -> None: ...

class SnapshotExtent(_message.Message):
    __slots__ = ("offset", "data")
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    offset: int
    data: bytes
    def __init__(self, offset: _Optional[int] = ..., data: _Optional[bytes] = ...) -> None: ...

class SnapshotEnd(_message.Message):
    __slots__ = ("sent_bytes", "sha256")
    SENT_BYTES_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    sent_bytes: int
    sha256: str
    def __init__(self, sent_bytes: _Optional[int] = ..., sha256: _Optional[str] = ...) -> None: ...

class ListReceiptsRequest(_message.Message):
    __slots__ = ("after",)
    AFTER_FIELD_NUMBER: _ClassVar[int]
    after: int
    def __init__(self, after: _Optional[int] = ...) -> None: ...

class ReceiptPage(_message.Message):
    __slots__ = ("receipts",)
    RECEIPTS_FIELD_NUMBER: _ClassVar[int]
    receipts: _containers.RepeatedCompositeFieldContainer[Receipt]
    def __init__(self, receipts: _Optional[_Iterable[_Union[Receipt, _Mapping]]] = ...) -> None: ...

class Receipt(_message.Message):
    __slots__ = ("number", "document")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    number: int
    document: bytes
    def __init__(self, number: _Optional[int] = ..., document: _Optional[bytes] = ...) -> None: ...

class FenceNodeRequest(_message.Message):
    __slots__ = ("addresses", "seconds")
    ADDRESSES_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    addresses: _containers.RepeatedScalarFieldContainer[str]
    seconds: int
    def __init__(self, addresses: _Optional[_Iterable[str]] = ..., seconds: _Optional[int] = ...) -> None: ...

class UnfenceNodeRequest(_message.Message):
    __slots__ = ("addresses",)
    ADDRESSES_FIELD_NUMBER: _ClassVar[int]
    addresses: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, addresses: _Optional[_Iterable[str]] = ...) -> None: ...

class Fenced(_message.Message):
    __slots__ = ("addresses",)
    ADDRESSES_FIELD_NUMBER: _ClassVar[int]
    addresses: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, addresses: _Optional[_Iterable[str]] = ...) -> None: ...
