"""The service of storage.proto: parse, admit by the permit, call a worker process, answer."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import grpc

from agents.node import VERSION
from agents.node.errors import BadRequest
from agents.node.rpc.decoding import digest, image, image_parts, volume_size
from agents.protocol import storage_pb2 as pb
from agents.protocol import storage_pb2_grpc
from agents.storage import admission, decoding
from agents.storage.admission import Admission
from agents.storage.effects import IMAGE, KEY, REVERT, SNAPSHOT, VOLUME, Effects
from agents.storage.errors import CallerGone, ClusterFailed, ClusterSilent
from agents.storage.flattening import Flattening
from agents.storage.images import Images
from agents.storage.snapshot_parts import snapshot_parts
from agents.storage.trash import Trash
from agents.storage.workers import Workers

CAPABILITIES = (
    "snapshots",
    "snapshot-lists",
    "instance-snapshots",
    "snapshot-reads",
    "pool-moves",
    "receipts",
    "multi-attach",
)
RECEIPTS_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Lanes:
    """Processes by their work: neither a long copy nor a hung volume delays the description of the cluster."""

    volumes: Workers
    copies: Workers
    flattening: Workers
    description: Workers
    reads: Workers

    def close(self) -> None:
        for each in (self.volumes, self.copies, self.flattening, self.description, self.reads):
            each.close()


class Servicer(storage_pb2_grpc.StorageServicer):
    """`pools`: those that are served."""

    def __init__(  # noqa: PLR0913 - the parts that it joins, by name
        self,
        pools: tuple[str, ...],
        *,
        lanes: Lanes,
        admitting: Admission,
        effects: Effects,
        images: Images,
        trash: Trash,
        flattening: Flattening,
    ):
        self._pools = pools
        self._lanes = lanes
        self._admission = admitting
        self._effects = effects
        self._images = images
        self._trash = trash
        self._flattening = flattening
        self._locks = flattening.locks

    def Describe(self, request: pb.DescribeRequest, context: grpc.ServicerContext) -> pb.StorageDescription:
        held = self._admission.held
        own: dict[str, Any] = {
            "software_version": VERSION,
            "keyset_version": held.keyset.version,
            "deny_version": held.deny.version,
            "capabilities": CAPABILITIES,
        }
        try:
            found = self._lanes.description.call("describe", pools=list(self._pools))
        except ClusterSilent as exc:
            return pb.StorageDescription(health="silent", problems=[exc.message], **own)
        except ClusterFailed as exc:
            return pb.StorageDescription(health="error", problems=[exc.message], **own)
        pools = [pb.StoragePool(**pool) for pool in found.pop("pools")]
        return pb.StorageDescription(**found, pools=pools, **own)

    def EnsureTrust(self, request: pb.EnsureTrustRequest, context: grpc.ServicerContext) -> pb.StorageTrust:
        given = {field.name: value for field, value in request.ListFields() if field.name != "charters"}
        held = self._admission.learn(given, request.charters)
        return pb.StorageTrust(
            keyset_version=held.keyset.version,
            deny_version=held.deny.version,
            epoch=held.floor.epoch if held.floor else 0,
            is_clock_kept=self._admission.clock.is_kept(),
        )

    # ---- images

    def EnsureImage(self, request_iterator: Iterator[pb.ImagePart], context: grpc.ServicerContext) -> pb.ImageState:
        first = next(request_iterator, None)
        if first is None or first.WhichOneof("part") != "header":
            raise BadRequest("header", "the first message carries the header")
        spec, pool = image(first.header), self._pool(first.header)
        with self._holding(context, images=(spec.sha256,)):
            permit = self._admission.admit(admission.image(spec.sha256), first.header.permit)
            with self._effects.under(permit, IMAGE, pool, spec.sha256, size_bytes=spec.size_bytes):
                status = self._images.ensure(spec, pool, image_parts(request_iterator))
        return pb.ImageState(sha256=status.sha256, size_bytes=status.size_bytes, was_cached=status.was_cached)

    def RemoveImage(self, request: pb.RemoveImageRequest, context: grpc.ServicerContext) -> pb.Removed:
        pool, sha256 = self._pool(request), digest("sha256", request.sha256)
        with self._holding(context, images=(sha256,)):
            removal = {"pool": pool, "sha256": sha256, "pools": self._pools}
            was_present = self._lanes.copies.call("remove_image", **removal)
            self._effects.ended(IMAGE, pool, sha256, was_present=was_present)
        return pb.Removed(was_present=was_present)

    # ---- volumes

    def EnsureVolume(self, request: pb.EnsureVolumeRequest, context: grpc.ServicerContext) -> pb.VolumeState:
        volume, pool = decoding.volume_id(request.volume_id), self._pool(request)
        sha256 = digest("image_sha256", request.image_sha256) if request.image_sha256 else ""
        if request.is_taken_over and sha256:
            raise BadRequest("is_taken_over", "is only for a volume without an image")
        snapshot = decoding.source(request.snapshot, self._pools) if request.HasField("snapshot") else None
        if snapshot and (request.is_taken_over or sha256):
            raise BadRequest("snapshot", "is only for a new volume without an image")
        if snapshot and snapshot["volume"] == volume:
            raise BadRequest("snapshot.volume_id", "is the volume itself: RevertVolume takes it back")
        spec: dict[str, Any] = {
            "size_bytes": volume_size(request.size_bytes),
            "is_taken_over": request.is_taken_over,
        }
        action = admission.volume(volume, **spec, image_sha256=sha256, snapshot=snapshot)
        # Of an image or a volume that goes, a clone would be half of one.
        images = [sha256] if sha256 else []
        volumes = [volume, snapshot["volume"]] if snapshot else [volume]
        source = {"image": sha256} if sha256 else snapshot
        with self._holding(context, *volumes, images=images):
            permit = self._admission.admit(action, request.permit)
            arguments = {"volume": volume, "pool": pool, "source": source, "generation": request.generation}
            arguments["is_multi_attach"] = request.is_multi_attach
            measured = {"size_bytes": request.size_bytes, "source": source}
            with self._effects.under(permit, VOLUME, pool, volume, **measured):
                found = self._lanes.volumes.call("ensure_volume", **arguments, **spec)
        return pb.VolumeState(volume_id=volume, pool=pool, **found)

    def OpenVolume(self, request: pb.OpenVolumeRequest, context: grpc.ServicerContext) -> pb.VolumeKey:
        volume, pool = decoding.volume_id(request.volume_id), self._pool(request)
        is_shared = request.is_shared
        if request.addresses and not is_shared:
            raise BadRequest("addresses", "are only for a shared opening")
        addresses = decoding.addresses(request.addresses) if is_shared else []
        with self._holding(context, volume):
            permit = self._admission.admit(admission.opening(volume, is_shared=is_shared), request.permit)
            node, is_moving = decoding.node_id(permit.aud), permit.op in admission.MOVE_OPS
            opening = {"volume": volume, "pool": pool, "node": node, "is_moving": is_moving, "addresses": addresses}
            with self._effects.under(permit, KEY, pool, node, volume):
                found = self._lanes.volumes.call("open_volume", **opening)
        key = found.pop("key").encode()
        return pb.VolumeKey(key=key, pool=pool, image=volume, **found)

    def CloseVolume(self, request: pb.CloseVolumeRequest, context: grpc.ServicerContext) -> pb.Closed:
        volume, pool = decoding.volume_id(request.volume_id), self._pool(request)
        node = decoding.node_id(request.node_id)
        with self._holding(context, volume):
            closing = {"volume": volume, "pool": pool, "node": node, "is_dead": request.is_dead}
            closed = pb.Closed(**self._lanes.volumes.call("close_volume", **closing))
            self._effects.ended(KEY, pool, node, volume, was_present=closed.was_open, fenced=list(closed.fenced))
        return closed

    def RemoveVolume(self, request: pb.RemoveVolumeRequest, context: grpc.ServicerContext) -> pb.Removed:
        volume, pool = decoding.volume_id(request.volume_id), self._pool(request)
        with self._holding(context, volume):
            place = {"volume": volume, "pool": pool}
            trash = self._lanes.volumes.call("name_in_trash", **place)
            self._effects.removing(VOLUME, pool, volume, trash=trash)
            was_present = self._lanes.volumes.call("remove_volume", **place, generation=request.generation)
            self._effects.volume_removed(pool, volume, was_present=was_present, trash=trash)
        self._trash.wake()
        return pb.Removed(was_present=was_present)

    def ListVolumes(self, request: pb.ListVolumesRequest, context: grpc.ServicerContext) -> pb.VolumePage:
        pool, after = self._pool(request), decoding.name_after(request.after)
        found = self._lanes.volumes.call("list_volumes", pool=pool, after=after)
        return pb.VolumePage(volumes=[pb.ListedVolume(**each) for each in found])

    # ---- snapshots

    def EnsureSnapshot(self, request: pb.EnsureSnapshotRequest, context: grpc.ServicerContext) -> pb.SnapshotState:
        volume, pool, snapshot = self._snapshot(request)
        size = volume_size(request.size_bytes)
        with self._holding(context, volume):
            permit = self._admission.admit(admission.snapshot(volume, snapshot), request.permit)
            arguments = {"volume": volume, "pool": pool, "snapshot": snapshot, "size_bytes": size}
            with self._effects.under(permit, SNAPSHOT, pool, volume, snapshot, size_bytes=size):
                found = self._lanes.volumes.call("ensure_snapshot", **arguments)
        return pb.SnapshotState(volume_id=volume, **found)

    def RemoveSnapshot(self, request: pb.RemoveSnapshotRequest, context: grpc.ServicerContext) -> pb.Removed:
        volume, pool, snapshot = self._snapshot(request)
        with self._holding(context, volume):
            arguments = {"volume": volume, "pool": pool, "snapshot": snapshot}
            trash = self._lanes.volumes.call("name_in_trash", **arguments)
            self._effects.removing(SNAPSHOT, pool, volume, snapshot, trash=trash)
            was_present = self._lanes.volumes.call("remove_snapshot", **arguments)
            self._effects.trashed(SNAPSHOT, pool, volume, snapshot, was_present=was_present, trash=trash)
        self._trash.wake()
        return pb.Removed(was_present=was_present)

    def ListSnapshots(self, request: pb.ListSnapshotsRequest, context: grpc.ServicerContext) -> pb.SnapshotPage:
        volume, pool = decoding.volume_id(request.volume_id), self._pool(request)
        after = decoding.name_after(request.after)
        found = self._lanes.volumes.call("list_snapshots", volume=volume, pool=pool, after=after)
        return pb.SnapshotPage(snapshots=[pb.SnapshotState(volume_id=volume, **each) for each in found])

    def RevertVolume(self, request: pb.RevertVolumeRequest, context: grpc.ServicerContext) -> pb.VolumeState:
        volume, pool, snapshot = self._snapshot(request)
        size = volume_size(request.size_bytes)
        action = admission.reversion(volume, snapshot, size_bytes=size)
        with self._holding(context, volume):
            permit = self._admission.admit(action, request.permit)
            arguments = {"volume": volume, "pool": pool, "snapshot": snapshot, "size_bytes": size}
            with self._effects.under(permit, REVERT, pool, volume, snapshot=snapshot, size_bytes=size):
                found = self._lanes.copies.call("revert_volume", generation=permit.gen, **arguments)
        return pb.VolumeState(volume_id=volume, pool=pool, **found)

    def FinishRevert(self, request: pb.FinishRevertRequest, context: grpc.ServicerContext) -> pb.FinishedRevert:
        volume, pool, snapshot = self._snapshot(request)
        with self._holding(context, volume):
            arguments = {"volume": volume, "pool": pool, "snapshot": snapshot, "generation": request.generation}
            has_begun = self._lanes.copies.call("finish_revert", **arguments)
            self._effects.settle(REVERT, pool, volume, has_happened=has_begun)
        return pb.FinishedRevert(has_begun=has_begun)

    def ReadSnapshot(self, request: pb.ReadSnapshotRequest, context: grpc.ServicerContext) -> Iterator[pb.SnapshotPart]:
        volume, pool, snapshot = self._snapshot(request)
        # Its lock is only for a moment: others use the volume while it is read.
        with self._flattening.kept_from(volume):
            with self._holding(context, volume):
                permit = self._admission.admit(admission.reading(volume, snapshot), request.permit)
            arguments = {"volume": volume, "pool": pool, "snapshot": snapshot}
            with self._effects.reading(permit, pool, volume, snapshot) as sent:
                for part in snapshot_parts(self._lanes.reads.stream("read_snapshot", **arguments)):
                    if part.HasField("end"):
                        sent |= {"sent_bytes": part.end.sent_bytes, "sha256": part.end.sha256, "is_whole": True}
                    yield part

    # ---- receipts

    def ListReceipts(self, request: pb.ListReceiptsRequest, context: grpc.ServicerContext) -> pb.ReceiptPage:
        receipts = self._effects.receipts
        receipts.acknowledge(request.after)
        found = receipts.after(request.after, limit=RECEIPTS_AT_ONCE)
        return pb.ReceiptPage(receipts=[pb.Receipt(number=number, document=document) for number, document in found])

    # ---- fencing

    def FenceNode(self, request: pb.FenceNodeRequest, context: grpc.ServicerContext) -> pb.Fenced:
        addresses, seconds = decoding.addresses(request.addresses), decoding.fence_seconds(request.seconds)
        self._lanes.volumes.call("fence", addresses=addresses, seconds=seconds)
        return pb.Fenced(addresses=addresses)

    def UnfenceNode(self, request: pb.UnfenceNodeRequest, context: grpc.ServicerContext) -> pb.Fenced:
        addresses = decoding.addresses(request.addresses)
        self._lanes.volumes.call("unfence", addresses=addresses)
        return pb.Fenced(addresses=addresses)

    @contextmanager
    def _holding(self, context: grpc.ServicerContext, *volumes: str, images: Sequence[str] = ()) -> Iterator[None]:
        """Hold the locks of images and volumes; one that is being flattened is left alone first.

        That may take longer than a permit lasts: calls check theirs with the locks held.

        Raises:
            CallerGone: the caller has given up meanwhile, and may have repeated the call, or made another one.
        """
        held = [*(("image", each) for each in images), *(("volume", each) for each in volumes)]
        with self._flattening.kept_from(*volumes), self._locks.hold(*held):
            if not context.is_active():
                raise CallerGone
            yield

    def _snapshot(self, message: Any) -> tuple[str, str, str]:
        """Return volume, pool and snapshot."""
        volume = decoding.volume_id(message.volume_id)
        return volume, self._pool(message), decoding.snapshot_id(message.snapshot_id)

    def _pool(self, message: Any) -> str:
        return decoding.pool(message.pool, self._pools)
