"""A running storage agent, its callers, and nodes that use its keys."""

import json
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import grpc

from agents.lab.ceph import POOL, CephCluster, ensure_user
from agents.node.trust.clock import Clock, kept_elsewhere
from agents.protocol import storage_pb2 as pb
from agents.protocol.storage_pb2_grpc import StorageStub
from agents.storage.capabilities import of_agent
from agents.storage.server import Config, serve
from agents.storage.workers import Access
from andromede_core.documents.signed import Signed, read
from andromede_core.permits.permit import Contents
from tests import processes
from tests.agents.specs import MIB, NODE_ID, ZONE, new_id
from tests.permits import Authority
from tests.pki import Issued, TestCA, issue_controlplane, issue_storage_agent, make_ca, storage_dns_name

STORAGE_ID = UUID("01980000-0000-7000-8000-0000000000cc")
SOURCE, DESTINATION = str(NODE_ID), "01990000-0000-7000-8000-00000000a002"
LATER = "01990000-0000-7000-8000-00000000a003"  # enrolled in the millisecond of the destination
SIZE = 8 * MIB
CLIENT = "andromede"


@dataclass
class StorageAgent:
    """A storage agent of the cluster, with the user of the how-to, and calls to it while it runs."""

    folder: Path
    ceph: CephCluster
    authority: Authority = field(default_factory=Authority)
    limit_s: float = 60
    image_max_bytes: int = 64 * MIB
    more_pools: tuple[str, ...] = ()
    port: int = 0
    _stub: Any = None
    _channels: list[grpc.Channel] = field(default_factory=list)
    _receipts: list[Signed] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        self.ca: TestCA = make_ca(self.folder / "ca")
        root = self.authority.root.public_pem
        issue_storage_agent(self.ca, self.folder, storage_id=STORAGE_ID, zone=ZONE, root=root)
        ensure_user(self.ceph, self.client, of_agent(self.pools), self.folder / "keyring")

    @property
    def pools(self) -> tuple[str, ...]:
        return (POOL, *self.more_pools)

    @property
    def client(self) -> str:
        """Return the user of Ceph: one with more pools has other capabilities."""
        return "-".join([CLIENT, *self.more_pools])

    @property
    def config(self) -> Config:
        return Config(
            self.folder,
            "127.0.0.1:0",
            Access(str(self.ceph.conf), self.client, str(self.folder / "keyring")),
            pools=self.pools,
            limit_s=self.limit_s,
            image_max_bytes=self.image_max_bytes,
            trash_interval_s=0.2,
            clock=Clock(is_kept=kept_elsewhere),
        )

    @contextmanager
    def serving(self, **changes: Any) -> Iterator[None]:
        """Serve in this process."""
        server = serve(replace(self.config, **changes))
        self.port = server.port
        try:
            yield
        finally:
            self._hang_up()
            server.stop(0)

    @contextmanager
    def process(self, *options: str | Path) -> Iterator["processes.subprocess.Popen[str]"]:
        """Serve in a process of its own."""
        fixed = ["--state-dir", self.folder, "--listen", "127.0.0.1:0", "--pool", POOL, "--clock", "kept-elsewhere"]
        command = [sys.executable, "-m", "agents.storage", *fixed, *options]
        with processes.running(command, stderr=processes.subprocess.PIPE) as process:
            line = processes.line_with('"serving"', process.stderr)
            self.port = int(line.partition('"port": ')[2].partition(",")[0].rstrip("}\n"))
            try:
                yield process
            finally:
                self._hang_up()

    def stub(self) -> Any:
        """Return the stub of a worker of the control plane."""
        if self._stub is None:
            self._stub = self.stub_of(issue_controlplane(self.ca, self.ca.folder))
        return self._stub

    def stub_of(self, caller: Issued) -> Any:
        channel = grpc.secure_channel(
            f"127.0.0.1:{self.port}",
            grpc.ssl_channel_credentials(caller.ca, caller.key, caller.certificate),
            options=[("grpc.ssl_target_name_override", storage_dns_name(STORAGE_ID))],
        )
        self._channels.append(channel)
        return StorageStub(channel)  # type: ignore[no-untyped-call]

    def _hang_up(self) -> None:
        for channel in self._channels:
            channel.close()
        self._channels.clear()
        self._stub = None

    def learn(self, *nodes: str) -> pb.StorageTrust:
        """Send the trust documents of the zone, and the charters of these nodes."""
        sent = self.authority.trust(SOURCE, ZONE)
        charters = [self.authority.charter(node, ZONE) for node in nodes]
        request = pb.EnsureTrustRequest(
            keyset=sent.keyset, deny=sent.deny, floor=sent.floor, facts=sent.facts, charters=charters
        )
        trust: pb.StorageTrust = self.stub().EnsureTrust(request)
        return trust

    def permit(self, *volumes: str, op: str = "volume.create", node: str = SOURCE, **changes: Any) -> pb.Permit:
        """Return a permit for these volumes, and for an image and a snapshot."""
        images, snapshots = (tuple(filter(None, [changes.pop(kind, "")])) for kind in ("image", "snapshot"))
        contents = Contents(volumes, images, snapshots=snapshots, shared=changes.pop("shared", ()))
        fields = {"node": node, "zone": ZONE, "contents": contents}
        made = self.authority.permit(op, **(fields | changes))
        return pb.Permit(document=made.document, policies=made.policies, cosignature=made.cosignature)

    # ---- calls

    def ensure(self, volume: str, size_bytes: int = SIZE, **spec: Any) -> pb.VolumeState:
        source = spec["snapshot"].snapshot_id if "snapshot" in spec else ""
        spec.setdefault("permit", self.permit(volume, image=spec.get("image_sha256", ""), snapshot=source))
        request = pb.EnsureVolumeRequest(**({"volume_id": volume, "pool": POOL, "size_bytes": size_bytes} | spec))
        state: pb.VolumeState = self.stub().EnsureVolume(request)
        return state

    def made(self, **spec: Any) -> str:
        """Return a new volume."""
        volume = new_id()
        self.ensure(volume, **spec)
        return volume

    def open(
        self, volume: str, node: str = SOURCE, permit: pb.Permit | None = None, *, pool: str = POOL
    ) -> pb.VolumeKey:
        permit = permit or self.permit(volume, op="instance.start", node=node)
        key: pb.VolumeKey = self.stub().OpenVolume(pb.OpenVolumeRequest(permit=permit, volume_id=volume, pool=pool))
        return key

    def close(self, volume: str, node: str = SOURCE, *, is_dead: bool = False, pool: str = POOL) -> pb.Closed:
        request = pb.CloseVolumeRequest(volume_id=volume, pool=pool, node_id=node, is_dead=is_dead)
        closed: pb.Closed = self.stub().CloseVolume(request)
        return closed

    def remove(self, volume: str, *, pool: str = POOL, generation: int = 0) -> bool:
        request = pb.RemoveVolumeRequest(volume_id=volume, pool=pool, generation=generation)
        return bool(self.stub().RemoveVolume(request).was_present)

    def snapshot(self, volume: str, snapshot: str = "", size_bytes: int = SIZE, **spec: Any) -> pb.SnapshotState:
        """Take a snapshot, a new one by default."""
        snapshot = snapshot or new_id()
        spec.setdefault("permit", self.permit(volume, op="snapshot.create", snapshot=snapshot))
        request = pb.EnsureSnapshotRequest(
            volume_id=volume, pool=POOL, snapshot_id=snapshot, size_bytes=size_bytes, **spec
        )
        state: pb.SnapshotState = self.stub().EnsureSnapshot(request)
        return state

    def clone(self, of: pb.SnapshotState, **spec: Any) -> str:
        """Return a new volume, made from the snapshot."""
        source = pb.SnapshotSource(pool=POOL, volume_id=of.volume_id, snapshot_id=of.snapshot_id)
        return self.made(snapshot=source, **spec)

    def revert(
        self, to: pb.SnapshotState, size_bytes: int = SIZE, *, generation: int = 1, permit: pb.Permit | None = None
    ) -> pb.VolumeState:
        permit = permit or self.permit(to.volume_id, op="volume.revert", snapshot=to.snapshot_id, gen=generation)
        request = pb.RevertVolumeRequest(
            permit=permit, volume_id=to.volume_id, pool=POOL, snapshot_id=to.snapshot_id, size_bytes=size_bytes
        )
        state: pb.VolumeState = self.stub().RevertVolume(request)
        return state

    def finish_revert(self, to: pb.SnapshotState, *, generation: int = 1) -> bool:
        """Return whether the revert had begun."""
        request = pb.FinishRevertRequest(
            volume_id=to.volume_id, pool=POOL, snapshot_id=to.snapshot_id, generation=generation
        )
        return bool(self.stub().FinishRevert(request).has_begun)

    def drop(self, snapshot: pb.SnapshotState) -> bool:
        """Remove the snapshot."""
        request = pb.RemoveSnapshotRequest(volume_id=snapshot.volume_id, pool=POOL, snapshot_id=snapshot.snapshot_id)
        return bool(self.stub().RemoveSnapshot(request).was_present)

    def snapshots(self, volume: str, after: str = "") -> list[pb.SnapshotState]:
        request = pb.ListSnapshotsRequest(volume_id=volume, pool=POOL, after=after)
        return list(self.stub().ListSnapshots(request).snapshots)

    def receipts(self, about: str) -> list[Signed]:
        """Return the receipts about the resource, as the watcher gets them."""
        watcher = self.stub_of(issue_controlplane(self.ca, self.ca.folder, process="watcher"))
        after = max((int(str(each.payload["number"])) for each in self._receipts), default=0)
        while page := watcher.ListReceipts(pb.ListReceiptsRequest(after=after)).receipts:
            self._receipts += [read(each.document) for each in page]
            after = page[-1].number
        return [each for each in self._receipts if each.payload["resource"] == about]

    def describe(self) -> pb.StorageDescription:
        description: pb.StorageDescription = self.stub().Describe(pb.DescribeRequest())
        return description

    def entities(self) -> set[str]:
        """Return the names of all keys of volumes."""
        listed = self.ceph.command("auth ls")["auth_dump"]
        return {each["entity"] for each in listed if each["entity"].startswith("client.v-")}


def command(client: Any, prefix: str, **arguments: object) -> int:
    """Send the monitors a command as this client; returns the error number, 0 without one."""
    code: int = client.mon_command(json.dumps({"prefix": prefix, **arguments}), b"")[0]
    return code


@contextmanager
def as_worker(access: Access, progress: Callable[[], None] = lambda: None) -> Iterator[Any]:
    """Return the cluster as a process of the agent has it."""
    from agents.storage.worker.cluster import Cluster

    cluster = Cluster(
        conf=access.conf, client=access.client, keyring=access.keyring, progress=progress, send=lambda data: None
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of how the bindings read times
            yield cluster
    finally:
        cluster.rados.shutdown()


@contextmanager
def as_node(ceph: CephCluster, key: pb.VolumeKey, pool: str = POOL) -> Iterator[tuple[Any, Any]]:
    """Return a connection with nothing but what the storage agent answered, and its I/O context."""
    import rados

    settings = {"mon_host": ",".join(f"v2:{each}" for each in key.monitors), "key": key.key.decode()}
    limits = {"client_mount_timeout": "30", "rados_mon_op_timeout": "30"}
    connection = rados.Rados(name=f"client.{key.client}", conf=settings | limits)
    connection.connect()
    try:
        with connection.open_ioctx(pool) as ioctx:
            yield connection, ioctx
    finally:
        connection.shutdown()
