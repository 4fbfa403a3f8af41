from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Cast, Floor

from controlplane.catalog.models import Zone
from controlplane.kernel import clock
from controlplane.kernel.db import BaseModel
from controlplane.kernel.states import machine

NODE = machine("node", {"enrolled": "ready unreachable", "ready": "unreachable", "unreachable": "ready"})


class Node(BaseModel):
    """A bare-metal server with an agent. Its zone stands in its certificate too, and never changes.

    | state       | means |
    |-------------|-------|
    | enrolled    | has a certificate, has not been heard yet |
    | ready       | its heartbeats arrive |
    | unreachable | no heartbeat for settings.NODE_UNREACHABLE_AFTER_S |

    `is_cordoned`: takes nothing new; what it has stays.

    `public_key` (base64 of its SubjectPublicKeyInfo) is of its certificate: with it the node signs receipts and
    inventories; `inventoried_at` is the time of the last inventory that counted. What it last said that it trusts:
    `keyset_version` … `floor_issued_at`. `attested_at`: when its signature last vouched for its hook. With every
    heartbeat `is_attested` says whether that is not too long ago and nothing is wrong with the hook (`hook_problem`),
    and `cleared_for`, what its charter allows, is emptied when the charter has ended (`chartered_until`). A node that
    is not attested gets public data alone.
    """

    name = models.CharField(max_length=63)
    zone = models.ForeignKey(Zone, models.PROTECT)
    address = models.CharField(max_length=255)
    state = models.CharField(max_length=16, default=NODE.initial)
    is_cordoned = models.BooleanField(default=False)
    cordon_reason = models.CharField(max_length=200, blank=True)
    certificate_sha256 = models.CharField(max_length=64)
    certificate_expires_at = models.DateTimeField()
    last_heartbeat_at = models.DateTimeField(null=True)
    boot_id = models.CharField(max_length=64, blank=True)
    agent_version = models.CharField(max_length=32, blank=True)
    cpu_model = models.CharField(max_length=120, blank=True)
    virt_type = models.CharField(max_length=8, blank=True)
    traits = ArrayField(models.CharField(max_length=64), default=list)
    public_key = models.CharField(max_length=400, blank=True)
    keyset_version = models.PositiveBigIntegerField(default=0)
    charter_version = models.PositiveBigIntegerField(default=0)
    deny_version = models.PositiveBigIntegerField(default=0)
    facts_epoch = models.PositiveBigIntegerField(default=0)
    floor_issued_at = models.DateTimeField(null=True)
    is_clock_kept = models.BooleanField(default=False)
    hook_sha256 = models.CharField(max_length=64, blank=True)
    hook_problem = models.CharField(max_length=300, default="It has not been heard yet.", blank=True)
    inventoried_at = models.DateTimeField(null=True)
    attested_at = models.DateTimeField(null=True)
    is_attested = models.BooleanField(default=False)
    cleared_for = ArrayField(models.CharField(max_length=63), default=list)
    chartered_until = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["name"], name="nodes_node_name_taken"),
            models.CheckConstraint(condition=Q(state__in=NODE.moves), name="nodes_node_state"),
        ]

    @property
    def attests(self) -> bool:
        """Whether it is attested at this moment, which may be later than its last heartbeat."""
        return self.is_attested and self.attested_at is not None and self.attested_at > oldest_attestation()


def oldest_attestation() -> datetime:
    """When a node must have attested itself, if that is to count now."""
    return clock.now() - timedelta(hours=settings.NODE_ATTESTATION_HOURS)


def _capacity(resource: str) -> models.GeneratedField:
    free = F(f"{resource}_total") - F(f"{resource}_reserved")
    return models.GeneratedField(
        expression=Cast(Floor(free * F(f"{resource}_ratio")), models.BigIntegerField()),
        output_field=models.BigIntegerField(),
        db_persist=True,
    )


class Inventory(models.Model):
    """What a node offers. capacity = ⌊(total − reserved) · ratio⌋; `*_used` is kept by a trigger on allocations.

    `generation` grows with every allocation and every change of the totals: a placement decision that was taken on an
    older one is not written.
    """

    node = models.OneToOneField(Node, models.CASCADE, primary_key=True)
    generation = models.PositiveBigIntegerField(default=1)
    vcpus_total = models.PositiveIntegerField(default=0)
    vcpus_reserved = models.PositiveIntegerField(default=0)
    vcpus_ratio = models.DecimalField(max_digits=6, decimal_places=2, default=4)
    vcpus_used = models.PositiveBigIntegerField(default=0)
    vcpus_capacity = _capacity("vcpus")
    memory_mib_total = models.PositiveBigIntegerField(default=0)
    memory_mib_reserved = models.PositiveBigIntegerField(default=1024)
    memory_mib_ratio = models.DecimalField(max_digits=6, decimal_places=2, default=1)
    memory_mib_used = models.PositiveBigIntegerField(default=0)
    memory_mib_capacity = _capacity("memory_mib")
    disk_gib_total = models.PositiveBigIntegerField(default=0)
    disk_gib_reserved = models.PositiveBigIntegerField(default=5)
    disk_gib_ratio = models.DecimalField(max_digits=6, decimal_places=2, default=1)
    disk_gib_used = models.PositiveBigIntegerField(default=0)
    disk_gib_capacity = _capacity("disk_gib")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(vcpus_used=0) | Q(vcpus_used__lte=F("vcpus_capacity")),
                name="nodes_inventory_vcpus_not_oversold",
            ),
            models.CheckConstraint(
                condition=Q(memory_mib_used=0) | Q(memory_mib_used__lte=F("memory_mib_capacity")),
                name="nodes_inventory_memory_not_oversold",
            ),
            models.CheckConstraint(
                condition=Q(disk_gib_used=0) | Q(disk_gib_used__lte=F("disk_gib_capacity")),
                name="nodes_inventory_disk_not_oversold",
            ),
        ]

    def __str__(self) -> str:
        return f"inventory of {self.node_id}"


class NodeRemoval(BaseModel):
    """Something that is to be removed from a node which did not answer when it was ended elsewhere; done when it is
    back."""

    node = models.ForeignKey(Node, models.CASCADE)
    kind = models.CharField(max_length=16)
    resource_id = models.UUIDField()
    generation = models.PositiveBigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["node", "kind", "resource_id"], name="nodes_removal_once"),
            models.CheckConstraint(
                condition=Q(kind__in=["arrival", "instance", "volume", "port", "attachment"]),
                name="nodes_removal_kind",
            ),
        ]


class TrustDocument(BaseModel):
    """A signed document that nodes are given (placement.core.trust): only the newest version of each counts.

    `subject`: the node of a charter, the zone of a floor and of its facts; empty for what all nodes get.
    """

    kind = models.CharField(max_length=16)
    subject = models.CharField(max_length=64, blank=True)
    version = models.PositiveBigIntegerField()
    document = models.BinaryField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["kind", "subject", "version"], name="nodes_trust_document_once"),
            models.CheckConstraint(
                condition=Q(kind__in=["keyset", "charter", "floor", "facts", "deny"]), name="nodes_trust_document_kind"
            ),
        ]


class Receipt(BaseModel):
    """What a node did under a permit, as it signed it: `jti` names the permit. Of each node they are numbered without
    gaps.

    `is_genuine`: the node's key made the signature. One that is not is kept all the same, since it is an incident.
    """

    node = models.ForeignKey(Node, models.PROTECT)
    number = models.PositiveBigIntegerField()
    jti = models.UUIDField(null=True)
    document = models.BinaryField()
    is_genuine = models.BooleanField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["node", "number"], name="nodes_receipt_once")]
        indexes = [models.Index(fields=["jti"])]


class Incident(BaseModel):
    """Something on a node that should not be, `kind` and `name` say what; nothing is ever destroyed because of it.

    `ended_at`: since when it is not seen any more.
    """

    node = models.ForeignKey(Node, models.PROTECT)
    kind = models.CharField(max_length=32)
    name = models.CharField(max_length=200)
    facts = models.JSONField(default=dict)
    seen_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["node", "kind", "name"], condition=Q(ended_at=None), name="nodes_incident_once_at_a_time"
            )
        ]
