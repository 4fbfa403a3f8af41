"""A storage agent without a Ceph cluster: it speaks the protocol over mutual TLS, and reports what a test sets.

Volumes are sizes in memory, with a version of their content and the nodes that have a key; snapshots keep both. Permits
are kept by call and not checked: the tests of the real agent do that. Each call fails with `failure`, or with that of
its name in `failures` (`during-revert`: after the copy has begun), a list also with that of its pool in
`failing_pools`; if `loses_answers`, the first answer to each call about a volume is lost, after its effect. `foreign`:
images with other names than volumes', with their sizes; `page`: images of a page of the list. `before_snapshot` is
called at each request for a snapshot. `others`: the pools beside the first one, by name; a volume can be in several.
`fenced`: addresses, with the seconds of their fences. `for_several`: volumes that are opened with addresses of nodes,
which `opened` has. `data`: offsets and bytes
of the versions of contents; others have their number at the beginning. `parts_sent`: after so many a stream is cut.
"""

import base64
import hashlib
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import grpc
from django.conf import settings

from agents.node import enrol, pki
from agents.node.errors import AdapterError, AgentError, Conflict, ImageRefused, TrustOlder, VolumeInUse
from agents.node.serving import listen
from agents.node.trust.keys import NodeKey
from agents.protocol import storage_pb2 as pb
from agents.protocol import storage_pb2_grpc
from agents.storage.errors import (
    GenerationStale,
    ImageMissing,
    OpeningConflict,
    OwnAddress,
    RevertUnfinished,
    SnapshotMissing,
    VolumeMissing,
)
from agents.storage.servicer import CAPABILITIES
from andromede_core.documents.parsing import as_rfc3339
from andromede_core.documents.signed import read
from controlplane.catalog.models import Zone
from controlplane.identity.actor import SYSTEM
from controlplane.kernel import clock
from controlplane.kernel.units import GIB
from controlplane.storage_clusters.models import StorageCluster, StorageClusterIncident
from controlplane.storage_clusters.services import storage_cluster_certify, storage_cluster_create

FSID = UUID("1f7d5d1e-5b4a-4f43-9c0e-2b8c3f1f3a11")
RECEIPTS_OF_A_PAGE = 2


Answer = TypeVar("Answer")


def storage_pool(name: str = "vms", *, size_gib: int = 100, used_gib: int = 0) -> pb.StoragePool:
    return pb.StoragePool(
        name=name,
        size_bytes=size_gib * GIB,
        used_bytes=used_gib * GIB,
        free_bytes=(size_gib - used_gib) * GIB,
        replicas=3,
    )


@dataclass(frozen=True)
class FakeSnapshot:
    volume_id: UUID
    size_bytes: int
    content: int
    taken_at_ms: int


@dataclass(frozen=True)
class FakeRevert:
    snapshot_id: UUID
    generation: int
    size_bytes: int


@dataclass(frozen=True)
class FakePool:
    """The volumes of a pool: sizes, versions of contents, the nodes that have a key, and newest generations."""

    volumes: dict[UUID, int] = field(default_factory=dict)
    contents: dict[UUID, int] = field(default_factory=dict)
    keys: dict[UUID, set[UUID]] = field(default_factory=dict)
    generations: dict[UUID, int] = field(default_factory=dict)


MIXTURE = -1  # the content of a volume while a revert copies


class FakeStorageAgent(storage_pb2_grpc.StorageServicer):
    """A storage agent of a new storage cluster. `description`: its report; `trust`: the requests that it got."""

    def __init__(self, folder: Path, *, zone: str, name: str = "ceph-1", fsid: UUID = FSID) -> None:
        self.folder = folder / name
        self.folder.mkdir()
        self.row = storage_cluster_create(SYSTEM, name=name, zone=Zone.objects.get(pk=zone), address="127.0.0.1:1")
        self.description = pb.StorageDescription(
            fsid=str(fsid),
            monitors=["10.0.7.21:3300"],
            pools=[storage_pool()],
            health="ok",
            ceph_version="18.2.7",
            capabilities=list(CAPABILITIES),
        )
        self.trust: list[pb.EnsureTrustRequest] = []
        self.before_snapshot: Callable[[], object] = lambda: None
        self.images: set[str] = set()
        self.volumes: dict[UUID, int] = {}
        self.contents: dict[UUID, int] = {}
        self.snapshots: dict[UUID, FakeSnapshot] = {}
        self.reverts: dict[UUID, FakeRevert] = {}
        self.closed: dict[UUID, int] = {}
        self.generations: dict[UUID, int] = {}
        self.open_to_write, self.for_several = set[UUID](), set[UUID]()
        self.opened: dict[tuple[UUID, UUID], list[str]] = {}
        self.permits: dict[str, bytes] = {}
        self.keys: dict[UUID, set[UUID]] = {}
        self.receipts: list[pb.Receipt] = []
        self.others: dict[str, FakePool] = {}
        self.calls: list[str] = []
        self.failure: AgentError | None = None
        self.failures, self.failing_pools = dict[str, AgentError](), dict[str, AgentError]()
        self.loses_answers = False
        self.foreign: dict[str, int] = {}
        self.data: dict[int, list[tuple[int, bytes]]] = {}
        self.parts_sent: int | None = None
        self.fenced: dict[str, int] = {}
        self.own_address = "10.0.7.21"
        self.page, self.held = 200, pb.StorageTrust()
        self.lost: set[tuple[str, UUID | None]] = set()

    def enrol(self) -> None:
        request = enrol.request(self.folder, self.row.name).encode()
        certificate = storage_cluster_certify(SYSTEM, self.row, request_pem=request)
        ca, root = ((settings.PKI_DIR / name).read_bytes() for name in ("ca.crt", "root.pub"))
        enrol.install(self.folder, certificate=certificate.encode(), ca=ca, root=root, kind=pki.STORAGE)

    @contextmanager
    def serving(self) -> Iterator[None]:
        server, port = listen("127.0.0.1:0", pki.load(self.folder), threads=4, calls_at_once=4, options=())
        storage_pb2_grpc.add_StorageServicer_to_server(self, server)  # type: ignore[no-untyped-call]
        server.start()
        StorageCluster.objects.filter(pk=self.row.pk).update(address=f"127.0.0.1:{port}")
        try:
            yield
        finally:
            server.stop(0).wait()

    def Describe(self, request: pb.DescribeRequest, context: grpc.ServicerContext) -> pb.StorageDescription:
        return self.description

    def EnsureTrust(self, request: pb.EnsureTrustRequest, context: grpc.ServicerContext) -> pb.StorageTrust:
        self.trust.append(request)
        if request.keyset:
            version = _version(request.keyset)
            if version < self.held.keyset_version:
                raise TrustOlder("keyset")
            self.held.keyset_version = version
        if request.deny:
            self.held.deny_version = _version(request.deny)
        if request.floor:
            self.held.epoch = _version(request.floor, "epoch")
        return self.held

    def EnsureImage(self, parts: Iterator[pb.ImagePart], context: grpc.ServicerContext) -> pb.ImageState:
        header = next(parts).header
        self._called("image")
        if header.sha256 not in self.images:
            if sum(len(part.data) for part in parts) != header.size_bytes:
                raise ImageRefused("The image is not in the pool.")
            self.images.add(header.sha256)
        return self._answered(pb.ImageState(sha256=header.sha256, size_bytes=header.size_bytes), "image")

    def RemoveImage(self, request: pb.RemoveImageRequest, context: grpc.ServicerContext) -> pb.Removed:
        self._called("remove-image")
        was_present = request.sha256 in self.images
        self.images.discard(request.sha256)
        return self._answered(pb.Removed(was_present=was_present), "remove-image")

    def EnsureVolume(self, request: pb.EnsureVolumeRequest, context: grpc.ServicerContext) -> pb.VolumeState:
        volume_id = UUID(request.volume_id)
        self._called("ensure", request.permit)
        if request.image_sha256 and request.image_sha256 not in self.images:
            raise ImageMissing("The image is not in the pool.")
        there = self.at(request.pool)
        if request.is_taken_over and volume_id not in there.volumes:
            raise VolumeMissing("The volume is not in the pool.")
        if volume_id not in there.volumes:
            there.contents[volume_id] = self._cloned(request.snapshot) if request.HasField("snapshot") else 0
            self.for_several |= {volume_id} if request.is_multi_attach else set()
        there.volumes[volume_id] = max(request.size_bytes, there.volumes.get(volume_id, 0))
        there.generations[volume_id] = max(request.generation, there.generations.get(volume_id, 0))
        return self._answered(
            pb.VolumeState(volume_id=request.volume_id, pool=request.pool, size_bytes=there.volumes[volume_id]),
            "ensure",
            volume_id,
        )

    def OpenVolume(self, request: pb.OpenVolumeRequest, context: grpc.ServicerContext) -> pb.VolumeKey:
        volume_id, node_id = UUID(request.volume_id), UUID(str(read(request.permit.document).payload["aud"]))
        self._called("open", request.permit)
        there = self.at(request.pool)
        if volume_id not in there.volumes:
            raise VolumeMissing("The volume is not in the pool.")
        if there.contents.get(volume_id) == MIXTURE:
            raise RevertUnfinished("The revert of the volume has begun and not ended.")
        if request.is_shared != (volume_id in self.for_several) or request.is_shared != bool(request.addresses):
            raise OpeningConflict("The volume is for one node, and the opening for several, or the reverse.")
        self.opened[(volume_id, node_id)] = list(request.addresses)
        there.keys.setdefault(volume_id, set()).add(node_id)
        return self._answered(
            pb.VolumeKey(
                client=f"v-{volume_id}.{node_id.hex[-12:]}",
                key=base64.b64encode(secrets.token_bytes(28)),
                monitors=self.description.monitors,
                pool=request.pool,
                image=request.volume_id,
            ),
            "open",
            volume_id,
        )

    def CloseVolume(self, request: pb.CloseVolumeRequest, context: grpc.ServicerContext) -> pb.Closed:
        volume_id, node_id = UUID(request.volume_id), UUID(request.node_id)
        call = "fence" if request.is_dead else "close"
        self._called(call)
        of_volume = self.at(request.pool).keys.get(volume_id, set())
        was_open = node_id in of_volume
        of_volume.discard(node_id)
        return self._answered(pb.Closed(was_open=was_open), call, volume_id)

    def RemoveVolume(self, request: pb.RemoveVolumeRequest, context: grpc.ServicerContext) -> pb.Removed:
        volume_id = UUID(request.volume_id)
        self._called("remove")
        there = self.at(request.pool)
        if 0 < request.generation < there.generations.get(volume_id, 0):
            raise GenerationStale("The volume has a newer generation.")
        there.generations.pop(volume_id, None)
        there.keys.pop(volume_id, None)
        there.contents.pop(volume_id, None)
        return self._answered(
            pb.Removed(was_present=there.volumes.pop(volume_id, None) is not None), "remove", volume_id
        )

    def ListVolumes(self, request: pb.ListVolumesRequest, context: grpc.ServicerContext) -> pb.VolumePage:
        self._called("list")
        if request.pool in self.failing_pools:
            raise self.failing_pools[request.pool]
        foreign = {} if request.pool in self.others else self.foreign
        sizes = {str(volume_id): size for volume_id, size in self.at(request.pool).volumes.items()} | foreign
        names = sorted(name for name in sizes if name > request.after)[: self.page]
        return pb.VolumePage(volumes=[self._listed(name, sizes[name]) for name in names])

    def _listed(self, name: str, size_bytes: int) -> pb.ListedVolume:
        snapshots = self._snapshots_of(name)
        return pb.ListedVolume(
            name=name,
            size_bytes=size_bytes,
            snapshots=snapshots[: self.page],
            has_more_snapshots=len(snapshots) > self.page,
        )

    def _snapshots_of(self, volume: str) -> list[str]:
        return sorted(str(pk) for pk, each in self.snapshots.items() if str(each.volume_id) == volume)

    def ListSnapshots(self, request: pb.ListSnapshotsRequest, context: grpc.ServicerContext) -> pb.SnapshotPage:
        self._called("list-snapshots")
        names = [name for name in self._snapshots_of(request.volume_id) if name > request.after]
        return pb.SnapshotPage(snapshots=[pb.SnapshotState(snapshot_id=name) for name in names[: self.page]])

    def FenceNode(self, request: pb.FenceNodeRequest, context: grpc.ServicerContext) -> pb.Fenced:
        self._called("fence-node")
        if self.own_address in request.addresses:
            raise OwnAddress("It is the address of the storage agent itself.")
        self.fenced.update(dict.fromkeys(request.addresses, request.seconds))
        return self._answered(pb.Fenced(addresses=request.addresses), "fence-node")

    def UnfenceNode(self, request: pb.UnfenceNodeRequest, context: grpc.ServicerContext) -> pb.Fenced:
        self._called("unfence-node")
        for address in request.addresses:
            self.fenced.pop(address, None)
        return self._answered(pb.Fenced(addresses=request.addresses), "unfence-node")

    def EnsureSnapshot(self, request: pb.EnsureSnapshotRequest, context: grpc.ServicerContext) -> pb.SnapshotState:
        volume_id, snapshot_id = UUID(request.volume_id), UUID(request.snapshot_id)
        self._called("snapshot", request.permit)
        self.before_snapshot()
        if snapshot_id not in self.snapshots:
            if volume_id not in self.volumes:
                raise VolumeMissing("The volume is not in the pool.")
            if self.volumes[volume_id] != request.size_bytes:
                raise Conflict("The volume has another size.")
            taken_at_ms = int(clock.now().timestamp() * 1000)
            taken = FakeSnapshot(volume_id, request.size_bytes, self.contents[volume_id], taken_at_ms)
            self.snapshots[snapshot_id] = taken
        found = self.snapshots[snapshot_id]
        state = pb.SnapshotState(
            snapshot_id=request.snapshot_id,
            volume_id=request.volume_id,
            size_bytes=found.size_bytes,
            taken_at_ms=found.taken_at_ms,
        )
        return self._answered(state, "snapshot", snapshot_id)

    def RemoveSnapshot(self, request: pb.RemoveSnapshotRequest, context: grpc.ServicerContext) -> pb.Removed:
        snapshot_id = UUID(request.snapshot_id)
        self._called("remove-snapshot")
        was_present = self.snapshots.pop(snapshot_id, None) is not None
        return self._answered(pb.Removed(was_present=was_present), "remove-snapshot", snapshot_id)

    def RevertVolume(self, request: pb.RevertVolumeRequest, context: grpc.ServicerContext) -> pb.VolumeState:
        volume_id, snapshot_id = UUID(request.volume_id), UUID(request.snapshot_id)
        self._called("revert", request.permit)
        if volume_id in self.open_to_write:
            raise VolumeInUse("A client has the volume open to write.")
        generation = int(str(read(request.permit.document).payload["gen"]))
        if generation <= self.closed.get(volume_id, -1):
            raise GenerationStale("The revert had not begun.")
        if snapshot_id not in self.snapshots:
            raise SnapshotMissing("The volume has no such snapshot.")
        self.reverts[volume_id] = FakeRevert(snapshot_id, generation, request.size_bytes)
        self.contents[volume_id] = MIXTURE
        if "during-revert" in self.failures:
            raise self.failures["during-revert"]
        self._copied(volume_id)
        state = pb.VolumeState(volume_id=request.volume_id, pool=request.pool, size_bytes=request.size_bytes)
        return self._answered(state, "revert", volume_id)

    def FinishRevert(self, request: pb.FinishRevertRequest, context: grpc.ServicerContext) -> pb.FinishedRevert:
        volume_id, snapshot_id = UUID(request.volume_id), UUID(request.snapshot_id)
        self._called("finish-revert")
        last = self.reverts.get(volume_id)
        has_begun = last is not None and (last.snapshot_id, last.generation) == (snapshot_id, request.generation)
        if has_begun and self.contents[volume_id] == MIXTURE:
            self._copied(volume_id)
        if not has_begun:
            self.closed[volume_id] = request.generation
        return self._answered(pb.FinishedRevert(has_begun=has_begun), "finish-revert", volume_id)

    def _copied(self, volume_id: UUID) -> None:
        revert = self.reverts[volume_id]
        if revert.snapshot_id not in self.snapshots:
            raise SnapshotMissing("The volume has no such snapshot.")
        self.volumes[volume_id] = revert.size_bytes
        self.contents[volume_id] = self.snapshots[revert.snapshot_id].content

    def ReadSnapshot(self, request: pb.ReadSnapshotRequest, context: grpc.ServicerContext) -> Iterator[pb.SnapshotPart]:
        self._called("read", request.permit)
        found = self.snapshots.get(UUID(request.snapshot_id))
        if found is None:
            raise SnapshotMissing("The volume has no such snapshot.")
        extents = self.data.get(found.content, [(0, b"%d" % found.content)])
        yield from list(sent(found.size_bytes, extents))[: self.parts_sent]

    def ListReceipts(self, request: pb.ListReceiptsRequest, context: grpc.ServicerContext) -> pb.ReceiptPage:
        self.receipts = [each for each in self.receipts if each.number > request.after]
        return pb.ReceiptPage(receipts=self.receipts[:RECEIPTS_OF_A_PAGE])

    def sign_receipt(self, number: int, /, **changes: object) -> pb.Receipt:
        """Add a receipt, of a snapshot unless `changes` name something else."""
        key = NodeKey.load(str(self.row.pk), pki.load(self.folder).key)
        payload = {"number": number, "jti": "", "node": key.id, "zone": self.row.zone_id, "event": "opened"}
        payload |= {"kind": "snapshot", "resource": str(FSID), "generation": 1, "measured": {}}
        payload["at"] = as_rfc3339(clock.now())
        self.receipts.append(pb.Receipt(number=number, document=key.document("receipt", payload | changes)))
        return self.receipts[-1]

    def add_pool(self, name: str) -> None:
        self.description.pools.append(storage_pool(name))
        self.others[name] = FakePool()

    def at(self, pool: str) -> FakePool:
        return self.others.get(pool) or FakePool(self.volumes, self.contents, self.keys, self.generations)

    @property
    def pools(self) -> dict[str, FakePool]:
        """All pools by name."""
        return {pool.name: self.at(pool.name) for pool in self.description.pools}

    def write(self, volume_id: UUID) -> int:
        """Change the content of the volume, as a guest does; return its version."""
        self.contents[volume_id] = (
            max([*self.contents.values(), *(each.content for each in self.snapshots.values())]) + 1
        )
        return self.contents[volume_id]

    def _cloned(self, source: pb.SnapshotSource) -> int:
        """Return the content of a new clone."""
        found = self.snapshots.get(UUID(source.snapshot_id))
        if found is None or found.volume_id != UUID(source.volume_id):
            raise SnapshotMissing("The volume has no such snapshot.")
        return found.content

    def _called(self, call: str, permit: pb.Permit | None = None) -> None:
        self.calls.append(call)
        if permit is not None:
            self.permits[call] = permit.document
        failure = self.failure or self.failures.get(call)
        if failure is not None:
            raise failure

    def _answered(self, answer: Answer, call: str, volume_id: UUID | None = None) -> Answer:
        if self.loses_answers and (call, volume_id) not in self.lost:
            self.lost.add((call, volume_id))
            raise AdapterError("The answer is lost.", retryable=True)
        return answer

    def reported(self) -> StorageCluster:
        return StorageCluster.objects.get(pk=self.row.pk)

    def incidents(self) -> list[tuple[str, bool]]:
        """Kinds, and whether they are open."""
        rows = StorageClusterIncident.objects.filter(cluster=self.row).order_by("created_at", "kind")
        return [(row.kind, row.ended_at is None) for row in rows]


def sent(size_bytes: int, extents: list[tuple[int, bytes]]) -> Iterator[pb.SnapshotPart]:
    """Return the messages of ReadSnapshot."""
    digest = hashlib.sha256()
    sent_bytes = sum(len(data) for _, data in extents)
    yield pb.SnapshotPart(header=pb.SnapshotHeader(size_bytes=size_bytes, used_bytes=sent_bytes))
    for offset, data in extents:
        digest.update(offset.to_bytes(8, "big") + data)
        yield pb.SnapshotPart(extent=pb.SnapshotExtent(offset=offset, data=data))
    yield pb.SnapshotPart(end=pb.SnapshotEnd(sent_bytes=sent_bytes, sha256=digest.hexdigest()))


def _version(document: bytes, field: str = "version") -> int:
    return int(str(read(document).payload[field]))
