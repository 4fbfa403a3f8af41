import re
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import ExpressionWrapper, F, Q
from django.db.models.functions import Cast, Floor

from controlplane.catalog.models import Zone
from controlplane.kernel import clock
from controlplane.kernel.db import BaseModel
from controlplane.kernel.states import machine
from controlplane.nodes.orphan_states import ORPHAN, ORPHAN_KINDS, ORPHAN_LIVE, ORPHANS_IN_POOLS, REQUESTED_ACTIONS

IPV4 = re.compile(r"(\d{1,3}\.){3}\d{1,3}")
NODE = machine("node", {"enrolled": "ready unreachable", "ready": "unreachable", "unreachable": "ready"})
ADMIN_STATE = machine(
    "node-duty",
    {
        "in-service": "cordoned draining maintenance fenced retired",
        "cordoned": "in-service draining maintenance fenced retired",
        "draining": "cordoned maintenance fenced",
        "maintenance": "in-service fenced retired",
        "fenced": "maintenance retired",
        "retired": "",
    },
    field="admin_state",
)
IN_SERVICE = "in-service"
DEFAULT_MTU = 1500  # bytes
LARGEST_MTU = 8950  # bytes: 9000 on the wire, less the headers of VXLAN


class Node(BaseModel):
    """A bare-metal server with an agent. Its certificate has its zone too, which never changes.

    `state` follows its heartbeats, `admin_state` is set by an operator: nodes/display_state.py combines both into the
    display state.

    | state       | means |
    |-------------|-------|
    | enrolled    | has a certificate, and no heartbeat yet, or no passed self-test |
    | ready       | its heartbeats arrive |
    | unreachable | no heartbeat for settings.NODE_UNREACHABLE_AFTER_S |

    | admin_state | means |
    |-------------|-------|
    | in-service  | takes guests |
    | cordoned    | takes no new guests; its guests stay and run |
    | draining    | takes no new guests and starts no stopped one; its guests are moved away by its drain |
    | maintenance | nothing runs on it, and nothing starts there |
    | fenced      | `fenced_by` proves that it does nothing any more |
    | retired     | for good: it is empty, and permits for it are void |

    `admin_state_reason`, `admin_state_since`: why and since when it has that admin state. `is_cordoned`: it takes no
    new guests. `underlay_ip`: where other nodes send it the frames of tenants' networks, if that is not the host of its
    address. `ipv6_address`: where routers send it the packets of public IPv6 addresses. `max_mtu`: the largest packet
    of a guest, in bytes, that the underlay carries between this node and the others of its zone. `storage_addresses`:
    from which it reaches storage clusters, if these are not the host of its address and its underlay address.

    `public_key` (base64 of its SubjectPublicKeyInfo) is of its certificate: with it the node signs receipts and
    inventories; `inventoried_at` is the time of the last valid inventory. Its last reported trust documents:
    `keyset_version` … `floor_issued_at`. `attested_at`: when its signature last attested its hook. Every heartbeat
    updates `is_attested` (the attestation is recent enough and the hook has no `hook_problem`) and empties
    `cleared_for`, the classifications of its charter, when the charter has ended (`chartered_until`). A node that is
    not attested gets public data alone.

    `leased_until`: no node lease that was ever sent to it lasts longer. `fences_within_s`: so long after the end of its
    lease no guest runs on it any more, by its last report; None: it does not fence itself. That report is of
    `lease_reported_at_ms` milliseconds after its boot `lease_boot_id`.
    """

    name = models.CharField(max_length=63)
    zone = models.ForeignKey(Zone, models.PROTECT)
    address = models.CharField(max_length=255)
    underlay_ip = models.GenericIPAddressField(protocol="IPv4", null=True)
    ipv6_address = models.GenericIPAddressField(protocol="IPv6", null=True)
    max_mtu = models.PositiveSmallIntegerField(default=DEFAULT_MTU, db_default=DEFAULT_MTU)
    storage_addresses = ArrayField(models.GenericIPAddressField(), default=list, db_default=[])
    state = models.CharField(max_length=16, default=NODE.initial)
    admin_state = models.CharField(max_length=16, default=ADMIN_STATE.initial, db_column="duty")
    admin_state_reason = models.CharField(max_length=200, blank=True, db_column="duty_reason")
    admin_state_since = models.DateTimeField(default=clock.now, db_column="duty_since")
    fenced_by = models.JSONField(null=True)
    is_cordoned = models.GeneratedField(
        expression=ExpressionWrapper(~Q(admin_state=IN_SERVICE), output_field=models.BooleanField()),
        output_field=models.BooleanField(),
        db_persist=True,
    )
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
    leased_until = models.DateTimeField(null=True)
    fences_within_s = models.PositiveIntegerField(null=True)
    lease_boot_id = models.CharField(max_length=64, blank=True, default="", db_default="")
    lease_reported_at_ms = models.PositiveBigIntegerField(default=0, db_default=0, db_column="lease_said_at_ms")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["name"], condition=~Q(admin_state="retired"), name="nodes_node_name_taken"),
            models.CheckConstraint(condition=Q(state__in=NODE.moves), name="nodes_node_state"),
            models.CheckConstraint(condition=Q(admin_state__in=ADMIN_STATE.moves), name="nodes_node_duty"),
            models.CheckConstraint(
                condition=~Q(admin_state="fenced") | Q(fenced_by__isnull=False), name="nodes_node_fenced_with_evidence"
            ),
        ]

    @property
    def underlay(self) -> str | None:
        """Return the underlay address; None if the node's address is a name and no underlay is set."""
        host = self.address.rpartition(":")[0]
        return self.underlay_ip or (host if IPV4.fullmatch(host) else None)

    @property
    def attests(self) -> bool:
        """Tell if the node is attested at this moment, which may be later than its last heartbeat."""
        return self.is_attested and self.attested_at is not None and self.attested_at > oldest_attestation()


def oldest_attestation() -> datetime:
    """Return the earliest attestation that counts now."""
    return clock.now() - timedelta(hours=settings.NODE_ATTESTATION_HOURS)


def _capacity(resource: str) -> models.GeneratedField:
    free = F(f"{resource}_total") - F(f"{resource}_reserved")
    return models.GeneratedField(
        expression=Cast(Floor(free * F(f"{resource}_ratio")), models.BigIntegerField()),
        output_field=models.BigIntegerField(),
        db_persist=True,
    )


class Inventory(models.Model):
    """The capacity inventory of a node.

    capacity = ⌊(total − reserved) · ratio⌋; `*_used` is kept by a trigger on allocations.

    `generation` grows with every allocation and every change of the totals: a placement decision based on an older one
    is not written.
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


def pool_trait(name: str) -> str:
    """Return the trait of nodes that have the pool of this name of their zone."""
    return f"pool:{name}"


ENGINES = FOLDER, RBD = "folder", "rbd"


class Pool(BaseModel):
    """Storage that several nodes of a zone have at once.

    `engine`: `folder`, a file system that nodes have mounted, all under the same `path`; or `rbd`, a pool of a Ceph
    cluster, whose `path` is rbd:<fsid>/<name>.

    The first node that reports a folder creates the row; the others count as having it while they report the same. Its
    `uuid` is in a file of the pool itself. A pool of a storage `cluster` comes from the report of the cluster's agent,
    and each node with the trait `rbd` has it; its `uuid` is made of fsid and name.

    `capacity_gib` is of the last report; `used_gib` is kept by a trigger on allocations. Reported for clusters only:
    `written_gib`, what is written of the capacity; `replicas`; `is_reported_nearly_full`; `trash_count`, removed
    volumes whose data is not deleted yet, the oldest removed at `trash_since`. `compared_until`: the name of the last
    image of a cluster's pool that was compared with the rows; empty: the next comparison begins anew.
    """

    name = models.SlugField(max_length=40)
    zone = models.ForeignKey(Zone, models.PROTECT)
    uuid = models.UUIDField(unique=True)
    path = models.CharField(max_length=255)
    engine = models.CharField(max_length=8, default=FOLDER, db_default=FOLDER)
    cluster = models.ForeignKey(
        "storage_clusters.StorageCluster", models.PROTECT, null=True, db_index=False, related_name="pools"
    )
    capacity_gib = models.PositiveBigIntegerField(default=0)
    used_gib = models.PositiveBigIntegerField(default=0)
    written_gib = models.PositiveBigIntegerField(null=True)
    replicas = models.PositiveSmallIntegerField(null=True)
    is_reported_nearly_full = models.BooleanField(default=False, db_default=False)
    trash_count = models.PositiveIntegerField(null=True)
    trash_since = models.DateTimeField(null=True)
    compared_until = models.CharField(max_length=255, blank=True, default="", db_default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["zone", "name"], name="nodes_pool_name_taken"),
            models.CheckConstraint(
                condition=Q(used_gib=0) | Q(used_gib__lte=F("capacity_gib")), name="nodes_pool_not_oversold"
            ),
            models.CheckConstraint(
                condition=Q(engine=FOLDER, cluster=None) | Q(engine=RBD, cluster__isnull=False),
                name="nodes_pool_engine",
            ),
        ]

    @property
    def trait(self) -> str:
        return pool_trait(self.name)

    @property
    def is_of_cluster(self) -> bool:
        """Tell if a storage agent makes, opens and closes the disks in the pool; otherwise the nodes do."""
        return self.cluster_id is not None

    @property
    def is_nearly_full(self) -> bool:
        """Tell if the pool takes no new data: by its cluster's report, or by what is allocated of it."""
        if self.engine == RBD:
            return self.is_reported_nearly_full
        return self.used_gib * 100 > self.capacity_gib * settings.POOL_NEARLY_FULL_PERCENT


REMOVED_KINDS = ("arrival", "instance", "volume-copy", "volume", "shared-volume", "port", "attachment")


class NodeRemoval(BaseModel):
    """A pending removal: a resource to remove from a node that did not answer; carried out when it is back.

    `pool`: where the file of a volume is; of a `volume-copy`, the place whose data is erased. Of a `shared-volume` the
    node forgets that it had it open, and the file stays.
    """

    node = models.ForeignKey(Node, models.CASCADE)
    kind = models.CharField(max_length=16)
    resource_id = models.UUIDField()
    generation = models.PositiveBigIntegerField()
    pool = models.CharField(max_length=40, blank=True, default="", db_default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["node", "kind", "resource_id"], name="nodes_removal_once"),
            models.CheckConstraint(condition=Q(kind__in=REMOVED_KINDS), name="nodes_removal_kind"),
        ]


EVIDENCE_KINDS = ("power", "lease", "attestation")
# It is recorded beside the others, and fences no node by itself: a guest may go on with what is not in the cluster.
STORAGE_EVIDENCE = "storage"


class FenceEvidence(BaseModel):
    """Evidence that a node does nothing any more.

    `detail`: the observations, as JSON. `boot_id`: the boot of the node that has ended, or at least has no guests.

    | kind        | means |
    |-------------|-------|
    | power       | its BMC has switched it off, and confirmed that more than once |
    | lease       | its node lease has ended long ago, and it stops its guests by itself then |
    | attestation | an operator attests it |
    | storage     | a storage cluster refuses its addresses; only beside one of the others |
    """

    node = models.ForeignKey(Node, models.PROTECT)
    kind = models.CharField(max_length=16)
    reason = models.CharField(max_length=200)
    detail = models.JSONField(default=dict)
    boot_id = models.CharField(max_length=64, blank=True)
    user_id = models.UUIDField(null=True)
    operation_id = models.UUIDField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=(*EVIDENCE_KINDS, STORAGE_EVIDENCE)), name="nodes_fence_evidence_kind"
            ),
            models.CheckConstraint(
                condition=~Q(kind="attestation") | Q(user_id__isnull=False), name="nodes_fence_evidence_attested_by"
            ),
        ]
        indexes = [models.Index(fields=["node", "created_at"], name="nodes_fence_evidence_of_node")]


class Bmc(BaseModel):
    """The management controller of a node, which switches the node off by Redfish.

    `address`: IP and port. `certificate_sha256`: of its certificate, the only one that is trusted.
    `encrypted_password`: kernel/encryption.py, for the row's id. `system_id`: the node among its systems; empty: the
    only one. `checked_at`, `problem`: time and error of the last request.
    """

    node = models.OneToOneField(Node, models.CASCADE, related_name="bmc")
    address = models.CharField(max_length=64)
    username = models.CharField(max_length=63)
    encrypted_password = models.BinaryField(db_column="sealed_password")
    certificate_sha256 = models.CharField(max_length=64)
    system_id = models.CharField(max_length=64, blank=True)
    checked_at = models.DateTimeField(null=True)
    problem = models.CharField(max_length=300, blank=True)


class TrustDocument(BaseModel):
    """A signed document for nodes (andromede_core.permits.trust_documents): only the newest version of each counts.

    `subject`: the node of a charter, the zone of a floor and of its facts; empty for documents of all nodes.
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
    """A node's signed receipt for work under a permit: `jti` names the permit. Numbers of a node have no gaps.

    `is_genuine`: the node's key made the signature. A receipt that is not genuine is kept too, since it is an incident.
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
    """A problem of a node, identified by `kind` and `name`; no incident ever causes a deletion.

    `ended_at`: since when it is not observed any more.
    """

    node = models.ForeignKey(Node, models.PROTECT)
    kind = models.CharField(max_length=32)
    name = models.CharField(max_length=200)
    facts = models.JSONField(default=dict)
    observed_at = models.DateTimeField(db_column="seen_at")
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["node", "kind", "name"], condition=Q(ended_at=None), name="nodes_incident_once_at_a_time"
            )
        ]


DRAIN = machine(
    "drain",
    {
        "running": "paused blocked done cancelled",
        "paused": "running cancelled",
        "blocked": "running done cancelled",
        "done": "",
        "cancelled": "",
    },
)
DRAIN_LIVE = ("running", "paused", "blocked")
# The fallback for a running guest that cannot be moved, and the options for one that can.
FALLBACKS = ("leave", "stop")
# A migrating guest may write faster than its memory can be sent: the node slows it down, or does nothing.
AUTO_CONVERGE = "auto_converge"
CONVERGENCES = (AUTO_CONVERGE, "none")
DRAIN_KINDS = ("drain", "recover")


class Drain(BaseModel):
    """A drain or a recovery: a node is emptied, by a plan that was made before it began.

    A drain migrates the guests of a working node (`kind` drain), a recovery evacuates those of a fenced one (recover).

    | state     | means |
    |-----------|-------|
    | running   | its guests move away, `at_once` at a time |
    | paused    | running operations go on, and no guest is begun |
    | blocked   | guests remain, each with its reasons. Of a recovery: no other node may take them now |
    | done      | nothing runs there any more, and the node is in maintenance; it stays fenced after a recovery |
    | cancelled | it was cancelled; the node is cordoned, or stays fenced |

    `digest`: of the plan that the operator confirmed; of an automatic recovery, of the plan that it began with.
    `fallback`: the action for guests that cannot be moved. `deadline_s` (None: by the sizes of each), `convergence`:
    of each migration. `volumes`: number of unattached volumes that stay on the node.
    """

    node = models.ForeignKey(Node, models.PROTECT)
    kind = models.CharField(max_length=8, default="drain", db_default="drain")
    state = models.CharField(max_length=16, default=DRAIN.initial)
    digest = models.CharField(max_length=64)
    fallback = models.CharField(max_length=8)
    at_once = models.PositiveSmallIntegerField()
    deadline_s = models.PositiveIntegerField(null=True)
    convergence = models.CharField(max_length=16, default=AUTO_CONVERGE, db_default=AUTO_CONVERGE)
    reason = models.CharField(max_length=200, blank=True)
    volumes = models.PositiveIntegerField(default=0)
    user_id = models.UUIDField(null=True)
    credential_id = models.UUIDField(null=True)
    request_id = models.CharField(max_length=64, blank=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["node"], condition=Q(state__in=DRAIN_LIVE), name="nodes_drain_one_at_a_time"
            ),
            models.CheckConstraint(condition=Q(state__in=DRAIN.moves), name="nodes_drain_state"),
            models.CheckConstraint(condition=Q(kind__in=DRAIN_KINDS), name="nodes_drain_kind"),
            models.CheckConstraint(condition=Q(fallback__in=FALLBACKS), name="nodes_drain_fallback"),
            models.CheckConstraint(condition=Q(at_once__gte=1), name="nodes_drain_at_once"),
            models.CheckConstraint(condition=Q(convergence__in=CONVERGENCES), name="nodes_drain_convergence"),
            models.CheckConstraint(
                condition=Q(state__in=DRAIN_LIVE) | Q(finished_at__isnull=False), name="nodes_drain_ended_has_time"
            ),
        ]


DRAIN_GUEST = machine(
    "drain-guest",
    {
        "waiting": "moving stopping moved off gone left failed",
        "moving": "moved off gone failed",
        "stopping": "off moved gone failed",
        "left": "waiting moved off gone",
        "failed": "waiting moved off gone",
        "off": "waiting moved gone starting started",
        "starting": "started off moved gone",
        "started": "",
        "moved": "",
        "gone": "",
    },
)
ACTIONS = ("migrate", "stop", "stay", "leave", "wait", "evacuate")


class DrainGuest(BaseModel):
    """One guest of a drain. `action` and `target` are those of the plan.

    | state    | means |
    |----------|-------|
    | waiting  | not begun yet |
    | moving   | the operation migrates or evacuates it |
    | stopping | the operation shuts it down |
    | moved    | it is on another node |
    | off      | it is off, and stays on the node |
    | starting | the node takes it again, and the operation starts it |
    | started  | it runs again on the node |
    | gone     | it was deleted |
    | left     | it runs on, since it cannot be moved; or it comes back with its fenced node: `reasons` |
    | failed   | the operation failed, or was refused: `reasons`; it runs on, or stays down until the next attempt |

    `reasons` are errors as documents. `tries`: how often an operation was begun. `starts_again`: it is off because the
    drain has shut it down, and is started when the node takes guests again.
    """

    drain = models.ForeignKey(Drain, models.CASCADE, related_name="guests")
    instance_id = models.UUIDField()
    name = models.CharField(max_length=63)
    project_id = models.UUIDField()
    order = models.PositiveIntegerField()
    action = models.CharField(max_length=8)
    target = models.ForeignKey(Node, models.PROTECT, null=True)
    state = models.CharField(max_length=16, default=DRAIN_GUEST.initial)
    reasons = models.JSONField(default=list)
    operation_id = models.UUIDField(null=True)
    tries = models.PositiveIntegerField(default=0)
    starts_again = models.BooleanField(default=False)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["drain", "instance_id"], name="nodes_drain_guest_once"),
            models.CheckConstraint(condition=Q(state__in=DRAIN_GUEST.moves), name="nodes_drain_guest_state"),
            models.CheckConstraint(condition=Q(action__in=ACTIONS), name="nodes_drain_guest_action"),
        ]


class Orphan(BaseModel):
    """An orphan: a resource on a node or in a pool of a storage cluster, or a row, that no other row expects.

    | state       | means |
    |-------------|-------|
    | found       | unchanged since its detection |
    | quarantined | isolated, without deletion |
    | released    | an operator decided that it stays; it is as it was, without alarms |
    | discarded   | deleted on an operator's decision (`evidence`) |
    | gone        | it disappeared without a decision, or a row expects it by now |

    `name`: its name on the node or in the `pool`, a snapshot as VOLUME@ID; of a row, its id. `resource_id`: its id, if
    it were a resource of the platform. `facts`: the observations. `requested_action`: an operator's decision that is
    not carried out yet, `reason` its reason, `generation` how often it changed. `problem`: the error of the next step.
    """

    node = models.ForeignKey(Node, models.PROTECT, null=True)
    pool = models.ForeignKey(Pool, models.CASCADE, null=True, db_index=False)
    kind = models.CharField(max_length=16)
    name = models.CharField(max_length=300)
    resource_id = models.UUIDField(null=True)
    size_bytes = models.PositiveBigIntegerField(null=True)
    facts = models.JSONField(default=dict)
    state = models.CharField(max_length=16, default=ORPHAN.initial)
    requested_action = models.CharField(max_length=8, blank=True, db_column="wished")
    reason = models.CharField(max_length=200, blank=True)
    generation = models.PositiveBigIntegerField(default=1)
    problem = models.CharField(max_length=300, blank=True)
    evidence = models.JSONField(default=dict)
    observed_at = models.DateTimeField(db_column="seen_at")
    quarantined_at = models.DateTimeField(null=True)
    decided_by = models.UUIDField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["node", "pool", "kind", "name"],
                condition=Q(state__in=ORPHAN_LIVE),
                nulls_distinct=False,
                name="nodes_orphan_once_in_a_place",
            ),
            models.CheckConstraint(condition=Q(state__in=ORPHAN.moves), name="nodes_orphan_state"),
            models.CheckConstraint(condition=Q(kind__in=ORPHAN_KINDS), name="nodes_orphan_kind"),
            models.CheckConstraint(condition=Q(requested_action__in=REQUESTED_ACTIONS), name="nodes_orphan_wish"),
            models.CheckConstraint(
                condition=Q(kind="address")
                | Q(node__isnull=False, pool=None)
                | Q(kind__in=ORPHANS_IN_POOLS, pool__isnull=False),
                name="nodes_orphan_has_place",
            ),
            models.CheckConstraint(
                condition=Q(state__in=ORPHAN_LIVE) | Q(ended_at__isnull=False), name="nodes_orphan_ended_has_time"
            ),
            models.CheckConstraint(
                condition=~Q(state="discarded") | Q(decided_by__isnull=False), name="nodes_orphan_discarded_by_a_person"
            ),
        ]
        indexes = [models.Index(fields=["created_at"], name="nodes_orphan_by_age")]

    @property
    def zone_id(self) -> str | None:
        """The zone of its node or pool; None: it is a row without either."""
        place = self.node or self.pool
        return place.zone_id if place is not None else None
