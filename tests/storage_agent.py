"""A storage agent without a Ceph cluster: it speaks the protocol over mutual TLS, and reports what a test sets."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import grpc
from django.conf import settings

from agents.node import enrol, pki
from agents.node.errors import TrustOlder
from agents.node.serving import listen
from agents.protocol import storage_pb2 as pb
from agents.protocol import storage_pb2_grpc
from andromede_core.documents.signed import read
from controlplane.catalog.models import Zone
from controlplane.identity.actor import SYSTEM
from controlplane.kernel.units import GIB
from controlplane.storage_clusters.models import StorageCluster, StorageClusterIncident
from controlplane.storage_clusters.services import storage_cluster_certify, storage_cluster_create

FSID = UUID("1f7d5d1e-5b4a-4f43-9c0e-2b8c3f1f3a11")


def storage_pool(
    name: str = "vms", *, size_gib: int = 100, used_gib: int = 0, is_nearly_full: bool = False
) -> pb.StoragePool:
    return pb.StoragePool(
        name=name,
        size_bytes=size_gib * GIB,
        used_bytes=used_gib * GIB,
        free_bytes=(size_gib - used_gib) * GIB,
        replicas=3,
        is_nearly_full=is_nearly_full,
    )


class FakeStorageAgent(storage_pb2_grpc.StorageServicer):
    """A storage agent of a new storage cluster. `description`: its report; `trust`: the requests that it got."""

    def __init__(self, folder: Path, *, zone: str, name: str = "ceph-1") -> None:
        self.folder = folder / name
        self.folder.mkdir()
        self.row = storage_cluster_create(SYSTEM, name=name, zone=Zone.objects.get(pk=zone), address="127.0.0.1:1")
        self.description = pb.StorageDescription(
            fsid=str(FSID), monitors=["10.0.7.21:3300"], pools=[storage_pool()], health="ok", ceph_version="18.2.7"
        )
        self.trust: list[pb.EnsureTrustRequest] = []
        self.held = pb.StorageTrust()

    def enrol(self) -> None:
        request = enrol.request(self.folder, self.row.name).encode()
        certificate = storage_cluster_certify(SYSTEM, self.row, request_pem=request)
        ca, root = ((settings.PKI_DIR / name).read_bytes() for name in ("ca.crt", "root.pub"))
        enrol.install(self.folder, certificate=certificate.encode(), ca=ca, root=root, kind=pki.STORAGE)

    @contextmanager
    def serving(self) -> Iterator[None]:
        server, port = listen("127.0.0.1:0", pki.load(self.folder), threads=2, calls_at_once=2, options=())
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

    def reported(self) -> StorageCluster:
        return StorageCluster.objects.get(pk=self.row.pk)

    def incidents(self) -> list[tuple[str, bool]]:
        """Kinds, and whether they are open."""
        rows = StorageClusterIncident.objects.filter(cluster=self.row).order_by("created_at", "kind")
        return [(row.kind, row.ended_at is None) for row in rows]


def _version(document: bytes, field: str = "version") -> int:
    return int(str(read(document).payload[field]))
