"""Audit entries (AuditEntry), request records (RequestRecord), the evidence log, and exports of it.

Entries are recorded in the transaction of their action, requests around it. The database rejects changes and deletions
of recorded rows (migrations 0002, 0004, 0009).
"""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from controlplane.identity.models import Organization
from controlplane.kernel.db import BaseModel
from controlplane.kernel.ids import new_id
from controlplane.kernel.states import machine

# Back to waiting: the process crashed, the log was not ready, or the file is missing.
EXPORT = machine(
    "evidence export",
    {"waiting": "running", "running": "waiting ready failed", "ready": "waiting", "failed": ""},
)
UNMADE = ("waiting", "running")
PATH_MAX = 500
COMPLETED = Q(completed_at__isnull=False)


class AuditEntry(BaseModel):
    """An audit entry.

    The database rejects its change or deletion (migration 0002). `organization_id`: the organization of an action that
    is about none of its projects; null in entries from before migration 0011.
    """

    verb = models.CharField(max_length=64)
    resource_id = models.UUIDField()
    project_id = models.UUIDField(null=True)
    organization_id = models.UUIDField(null=True)
    user_id = models.UUIDField(null=True)
    credential_id = models.UUIDField(null=True)
    request_id = models.CharField(max_length=64, blank=True)
    facts = models.JSONField(default=dict)

    class Meta:
        db_table = "audit_auditrecord"
        indexes = [
            models.Index(fields=["resource_id"]),
            models.Index(fields=["project_id", "created_at"]),
            models.Index(fields=["request_id"], name="audit_record_request"),
            models.Index(
                fields=["organization_id", "created_at"],
                condition=Q(organization_id__isnull=False),
                name="audit_record_organization",
            ),
        ]


class Outcome(models.TextChoices):
    """Outcome of a request; unknown: the process ended during the request."""

    SUCCEEDED = "succeeded"
    REFUSED = "refused"
    FAILED = "failed"
    UNKNOWN = "unknown"


class RequestRecord(models.Model):
    """A request record: opened before the work begins, in a transaction of its own, and completed once, after it.

    `verb` is the route's operation id; `operation_id` the operation that it began. `once`: the common key of repeated
    rejections within a minute, of which one is kept. `evidence_id`, `position`: the record of the evidence log that
    covers it, and its position there. The database allows one completion and one cover (migration 0009).
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    opened_at = models.DateTimeField()
    completed_at = models.DateTimeField(null=True)
    verb = models.CharField(max_length=64)
    method = models.CharField(max_length=8)
    path = models.CharField(max_length=PATH_MAX)
    organization_id = models.UUIDField(null=True)
    project_id = models.UUIDField(null=True)
    user_id = models.UUIDField(null=True)
    credential_id = models.UUIDField(null=True)
    address = models.GenericIPAddressField(null=True)
    request_id = models.CharField(max_length=64)
    is_dry_run = models.BooleanField(default=False)
    outcome = models.CharField(max_length=16, blank=True)
    status = models.PositiveSmallIntegerField(null=True)
    error_code = models.CharField(max_length=64, blank=True)
    operation_id = models.UUIDField(null=True)
    resource_ids = ArrayField(models.UUIDField(), default=list)
    duration_ms = models.PositiveIntegerField(null=True)
    salt = models.BinaryField()
    once = models.UUIDField(null=True)
    evidence_id = models.UUIDField(null=True)
    position = models.PositiveIntegerField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(completed_at=None, outcome="") | Q(completed_at__isnull=False, outcome__in=Outcome.values),
                name="audit_request_completed_whole",
            ),
            models.CheckConstraint(
                condition=Q(evidence_id=None, position=None)
                | Q(evidence_id__isnull=False, position__isnull=False, completed_at__isnull=False),
                name="audit_request_covered_whole",
            ),
            models.UniqueConstraint(fields=["once"], condition=Q(once__isnull=False), name="audit_request_once"),
        ]
        # An open record is in the first index only, so that opening stays cheap.
        indexes = [
            models.Index(fields=["opened_at"], condition=Q(completed_at=None), name="audit_request_open"),
            models.Index(
                fields=["completed_at"],
                condition=Q(completed_at__isnull=False, evidence_id=None),
                name="audit_request_uncovered",
            ),
            models.Index(fields=["completed_at", "id"], condition=COMPLETED, name="audit_request_all"),
            models.Index(
                fields=["project_id", "completed_at", "id"], condition=COMPLETED, name="audit_request_project"
            ),
            models.Index(
                fields=["organization_id", "completed_at", "id"], condition=COMPLETED, name="audit_request_org"
            ),
            models.Index(fields=["evidence_id"], condition=Q(evidence_id__isnull=False), name="audit_request_batch"),
        ]

    def __str__(self) -> str:
        return f"{self.verb} {self.pk}"


class Kind(models.TextChoices):
    DECISION = "decision"
    PERMIT = "permit"
    COSIGNATURE = "cosignature"
    RECEIPT = "receipt"
    COPY = "copy"
    FACT = "fact"
    POLICY_VERSION = "policy_version"
    POLICY_PROPOSAL = "policy_proposal"
    EXEMPTION = "exemption"
    DRIFT = "drift"
    ERASURE = "erasure"
    ADMIN_SESSION = "admin_session"
    KEY_RELEASE = "key_release"
    NODE = "node"
    TRUST = "trust"
    INCIDENT = "incident"
    MARK = "mark"
    AUDIT = "audit"


class EvidenceRecord(BaseModel):
    """A record of the evidence log; andromede_core/evidence/records.py defines its hashes.

    `subject_id`: the id of a decision, the jti of a permit, or for a receipt the jti of its permit. `document`
    (canonical JSON, with everything in the columns) and `salt` exist until the record is erased. Before the sequencer
    has processed it, it has no position: `leaf_index` (in the tree), `stream_seq` and `leaf_hash` are set together,
    once.
    """

    kind = models.CharField(max_length=16, choices=Kind)
    organization_id = models.UUIDField(null=True)
    project_id = models.UUIDField(null=True)
    resource_id = models.UUIDField(null=True)
    subject_id = models.UUIDField(null=True)
    stream = models.CharField(max_length=36)
    document = models.TextField(null=True)  # noqa: DJ001 - an erased document is no empty one
    salt = models.BinaryField(null=True)
    content_hash = models.BinaryField()
    leaf_index = models.BigIntegerField(null=True)
    stream_seq = models.BigIntegerField(null=True)
    leaf_hash = models.BinaryField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["leaf_index"], name="audit_evidence_index_once"),
            models.UniqueConstraint(fields=["stream", "stream_seq"], name="audit_evidence_seq_once"),
            models.CheckConstraint(condition=Q(kind__in=Kind.values), name="audit_evidence_kind"),
            models.CheckConstraint(
                condition=Q(leaf_index=None, stream_seq=None, leaf_hash=None)
                | Q(leaf_index__isnull=False, stream_seq__isnull=False, leaf_hash__isnull=False),
                name="audit_evidence_sequenced_whole",
            ),
            models.CheckConstraint(
                condition=Q(document__isnull=True, salt__isnull=True) | Q(document__isnull=False, salt__isnull=False),
                name="audit_evidence_erased_whole",
            ),
        ]
        indexes = [
            models.Index(fields=["id"], condition=Q(leaf_index=None), name="audit_evidence_unsequenced"),
            models.Index(fields=["resource_id", "kind"]),
            models.Index(fields=["subject_id", "kind"]),
        ]


class MerkleNode(models.Model):
    """The hash of a complete subtree of the log's tree; level 0 has the leaves. Rows never change."""

    pk = models.CompositePrimaryKey("level", "position")
    level = models.PositiveSmallIntegerField()
    position = models.BigIntegerField()
    hash = models.BinaryField()

    def __str__(self) -> str:
        return f"subtree {self.level}/{self.position}"


class Checkpoint(BaseModel):
    """A log checkpoint (c2sp.org/tlog-checkpoint). `note` has the log's signature alone."""

    tree_size = models.BigIntegerField()
    root_hash = models.BinaryField()
    note = models.TextField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tree_size"], name="audit_checkpoint_once")]


class Witness(BaseModel):
    """A witness: an independent party that signs checkpoints which extend the earlier ones.

    `public_key`: Ed25519, 32 bytes.
    """

    name = models.CharField(max_length=255)
    public_key = models.BinaryField()
    url = models.URLField(blank=True)
    retired_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["name"], name="audit_witness_name_taken")]


class Cosignature(BaseModel):
    """A cosignature: `line` is the witness's line in the checkpoint's note; `signed_at` is the time in it."""

    checkpoint = models.ForeignKey(Checkpoint, models.PROTECT)
    witness = models.ForeignKey(Witness, models.PROTECT)
    line = models.TextField()
    signed_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["checkpoint", "witness"], name="audit_cosignature_once")]


class EvidenceExport(BaseModel):
    """A requested file: an organization's evidence of [start, end). File and row are deleted at `expires_at`.

    `attempts`: number of tries. `error`: the document of the CloudError that it failed with, or null.
    """

    organization = models.ForeignKey(Organization, models.PROTECT)
    start = models.DateTimeField()
    end = models.DateTimeField()
    state = models.CharField(max_length=16, default=EXPORT.initial)
    attempts = models.PositiveSmallIntegerField(default=0)
    size_bytes = models.BigIntegerField(null=True)
    sha256 = models.CharField(max_length=64, blank=True)
    expires_at = models.DateTimeField(null=True)
    error = models.JSONField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(state__in=list(EXPORT.moves)), name="audit_export_state"),
            models.CheckConstraint(condition=Q(start__lt=models.F("end")), name="audit_export_window"),
            models.CheckConstraint(
                condition=~Q(state="ready") | Q(size_bytes__isnull=False, expires_at__isnull=False),
                name="audit_export_ready_whole",
            ),
        ]
