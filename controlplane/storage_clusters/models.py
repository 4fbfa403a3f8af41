from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from controlplane.catalog.models import Zone
from controlplane.kernel.db import BaseModel


class StorageCluster(BaseModel):
    """A Ceph cluster of a zone. Its storage agent, at `address`, has the only key that makes, removes and fences there.

    The agent's certificate names the row's id and zone; without one it is not called. `fsid`, the cluster's identity,
    is that of the first report, and later ones have to have it too. The last report is of `last_seen_at`; `health` is
    the agent's word for the cluster's, `health_problems` are the reasons. `keyset_version`, `deny_version` and
    `facts_epoch`: of the agent's trust documents; `floor_issued_at`: of the last floor that it was sent;
    `charters_sent_at`: charters that were signed until then are sent. `problem`: the gravest of PROBLEMS in
    services.py; empty: none. `capabilities`: what the agent can do, by its last report, besides what all releases can.
    `public_key` (base64 of its SubjectPublicKeyInfo) is of its certificate: with it the agent signs receipts; empty:
    an earlier release has signed the certificate.

    Its pools are rows of nodes.Pool.
    """

    name = models.CharField(max_length=63, unique=True)
    zone = models.ForeignKey(Zone, models.PROTECT)
    address = models.CharField(max_length=255)
    certificate_sha256 = models.CharField(max_length=64, blank=True)
    certificate_expires_at = models.DateTimeField(null=True)
    last_seen_at = models.DateTimeField(null=True)
    software_version = models.CharField(max_length=32, blank=True)
    ceph_version = models.CharField(max_length=64, blank=True)
    fsid = models.UUIDField(unique=True, null=True)
    monitors = ArrayField(models.CharField(max_length=255), default=list)
    health = models.CharField(max_length=16, blank=True)
    health_problems = ArrayField(models.CharField(max_length=300), default=list)
    keyset_version = models.PositiveBigIntegerField(default=0)
    deny_version = models.PositiveBigIntegerField(default=0)
    facts_epoch = models.PositiveBigIntegerField(default=0)
    floor_issued_at = models.DateTimeField(null=True)
    charters_sent_at = models.DateTimeField(null=True)
    problem = models.CharField(max_length=32, blank=True)
    capabilities = ArrayField(models.CharField(max_length=64), default=list, db_default=[])
    public_key = models.CharField(max_length=400, blank=True, default="", db_default="")


class StorageClusterIncident(BaseModel):
    """A problem of a cluster, from its first observation until `ended_at`, when it was not observed any more.

    `name`: of what it concerns, a missing volume as POOL/ID, a missing snapshot as POOL/VOLUME@ID, or a node; empty:
    the cluster.
    """

    cluster = models.ForeignKey(StorageCluster, models.CASCADE, related_name="incidents", db_index=False)
    kind = models.CharField(max_length=32)
    name = models.CharField(max_length=200, blank=True, default="", db_default="")
    observed_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["cluster", "kind", "name"],
                condition=Q(ended_at=None),
                name="storage_clusters_incident_once_each",
            )
        ]
        indexes = [models.Index(fields=["cluster", "-created_at"], name="storage_clusters_incident_of")]


class NodeFence(BaseModel):
    """A fence of a node in a cluster: the clients at its addresses read and write nothing there.

    The row is written before the cluster is asked. `fenced_at`: when it last answered about the `addresses`; null: not
    yet. `expires_at`: until when it refuses them. `problem`: why it does not refuse all addresses of the node, whose
    volumes are fenced one by one all the same; see node_lifecycle/fencing/storage_fences.py.
    """

    cluster = models.ForeignKey(StorageCluster, models.CASCADE, related_name="node_fences", db_index=False)
    node = models.ForeignKey("nodes.Node", models.PROTECT, related_name="storage_fences")
    addresses = ArrayField(models.GenericIPAddressField(), default=list)
    fenced_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    problem = models.CharField(max_length=32, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["cluster", "node"], name="storage_clusters_node_fence_once"),
            models.CheckConstraint(
                condition=Q(fenced_at=None) | Q(expires_at__isnull=False), name="storage_clusters_node_fence_ends"
            ),
        ]


class ClusterImage(BaseModel):
    """An image that was imported into a pool of a cluster, or is being; volumes there are clones of it."""

    pool = models.ForeignKey("nodes.Pool", models.CASCADE, db_index=False)
    sha256 = models.CharField(max_length=64)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["pool", "sha256"], name="storage_clusters_image_once")]


class StorageReceipt(BaseModel):
    """A storage agent's signed receipt for work under a permit, as nodes.Receipt: its numbers have no gaps."""

    cluster = models.ForeignKey(StorageCluster, models.CASCADE, related_name="receipts", db_index=False)
    number = models.PositiveBigIntegerField()
    jti = models.UUIDField(null=True)
    document = models.BinaryField()
    is_genuine = models.BooleanField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["cluster", "number"], name="storage_clusters_receipt_once")]
