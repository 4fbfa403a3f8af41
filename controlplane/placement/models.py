from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from controlplane.identity.models import Organization, Project
from controlplane.kernel.db import BaseModel
from controlplane.kernel.states import machine
from controlplane.nodes.models import Node, Pool

DRIFT_ACTIONS = ("flag", "freeze", "evacuate", "stop")  # the least strict first


class Classification(models.Model):
    """A label on data with a policy that follows every copy. Without an organization it is the platform's.

    `drift_action`: the action when a location of such data does not satisfy the policy any more. An unsupported
    classification admits no location at all.
    """

    id = models.SlugField(primary_key=True, max_length=63)
    organization = models.ForeignKey(Organization, models.PROTECT, null=True)
    title = models.CharField(max_length=120)
    title_fr = models.CharField(max_length=120)
    description = models.CharField(max_length=500, blank=True)
    description_fr = models.CharField(max_length=500, blank=True)
    drift_action = models.CharField(max_length=16, default="flag")
    is_supported = models.BooleanField(default=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(drift_action__in=DRIFT_ACTIONS),
                name="placement_classification_drift_action",
            )
        ]

    def __str__(self) -> str:
        return self.id


class PolicyHead(models.Model):
    """The version of the policies in force under an organization, or (without one) for the whole platform.

    A trigger creates it with the organization. `version` grows with every change of any policy under it, in that
    change's transaction. A write that rests on policies takes a SHARE lock, so that no decision made under older ones
    is written after they are gone.
    """

    organization = models.OneToOneField(Organization, models.PROTECT, null=True)
    version = models.PositiveBigIntegerField(default=1)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization"], nulls_distinct=False, name="placement_policy_head_one_per_owner"
            )
        ]

    def __str__(self) -> str:
        return f"policies of {self.organization_id or 'the platform'}, version {self.version}"


class PolicyVersion(BaseModel):
    """A version of a policy; of each owner the highest version is in force, older ones are history.

    `clauses` are those of andromede_core.policy.clauses. `level` is its owner's kind: the platform (no owner), an
    organization, a project, a classification or a resource. All of them must hold together: one can only add to the
    others.
    `head`: the version of the PolicyHead that it began; older rows have none.
    """

    level = models.CharField(max_length=16)
    organization = models.ForeignKey(Organization, models.PROTECT, null=True)
    project = models.ForeignKey(Project, models.PROTECT, null=True)
    classification = models.ForeignKey(Classification, models.PROTECT, null=True)
    resource_id = models.UUIDField(null=True)
    version = models.PositiveIntegerField()
    clauses = models.JSONField(db_column="atoms")
    head = models.PositiveBigIntegerField(null=True)
    user_id = models.UUIDField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(level="platform", organization=None, project=None, classification=None, resource_id=None)
                | Q(level="organization", organization__isnull=False, project=None, classification=None)
                | Q(level="project", project__isnull=False, organization=None, classification=None)
                | Q(level="classification", classification__isnull=False, organization=None, project=None)
                | Q(level="resource", resource_id__isnull=False, organization=None, project=None),
                name="placement_policy_has_one_owner",
            ),
            models.UniqueConstraint(
                fields=["level", "organization", "project", "classification", "resource_id", "version"],
                nulls_distinct=False,
                name="placement_policy_version_once",
            ),
        ]


PROPOSAL = machine(
    "policy-proposal",
    {
        "proposed": "approved withdrawn",
        "approved": "applied withdrawn",
        "applied": "",
        "withdrawn": "",
    },
)


class PolicyProposal(BaseModel):
    """A policy that would admit more than the one in force: it needs a second person and time before it counts.

    | state     | means |
    |-----------|-------|
    | proposed  | waits for another sovereignty officer |
    | approved  | comes into force at `not_before` |
    | applied   | is a PolicyVersion now |
    | withdrawn | does not come into force |

    `base_version` is the version that was in force when it was made (0: none), `change` what it does to that one:
    looser or incomparable.

    One of the level `resource` is about the data of one resource instead: it loses these `classifications` and the
    lineage in the rows `lineage_ids`. Triggers allow that only while such a proposal is approved and due (migration
    0007).
    """

    level = models.CharField(max_length=16)
    organization = models.ForeignKey(Organization, models.PROTECT, null=True)
    project = models.ForeignKey(Project, models.PROTECT, null=True)
    classification = models.ForeignKey(Classification, models.PROTECT, null=True)
    resource_id = models.UUIDField(null=True)
    classifications = ArrayField(models.SlugField(max_length=63), default=list)
    lineage_ids = ArrayField(models.UUIDField(), default=list)
    base_version = models.PositiveIntegerField()
    change = models.CharField(max_length=16)
    clauses = models.JSONField(db_column="atoms")
    reason = models.CharField(max_length=500, blank=True)
    state = models.CharField(max_length=16, default=PROPOSAL.initial)
    proposed_by = models.UUIDField()
    approved_by = models.UUIDField(null=True)
    not_before = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(state__in=PROPOSAL.moves), name="placement_proposal_state"),
            models.CheckConstraint(
                condition=Q(approved_by=None) | ~Q(approved_by=models.F("proposed_by")),
                name="placement_proposal_two_people",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["approved", "applied"])
                | Q(approved_by__isnull=False, not_before__isnull=False),
                name="placement_proposal_agreed_has_second_person",
            ),
            models.CheckConstraint(
                condition=Q(level="resource", resource_id__isnull=False, project__isnull=False)
                | ~Q(level="resource") & Q(resource_id=None, classifications=[], lineage_ids=[]),
                name="placement_proposal_about_resource",
            ),
        ]


class PolicyDocument(models.Model):
    """The layers that were effective together somewhere at some time, by the digest of their canonical JSON."""

    digest = models.CharField(primary_key=True, max_length=64)
    document = models.JSONField()

    def __str__(self) -> str:
        return self.digest


class Binding(models.Model):
    """The classifications of a resource's data.

    They only ever grow (a trigger refuses anything else, and the removal of the row): memory may still hold old data.
    """

    resource_id = models.UUIDField(primary_key=True)
    kind = models.CharField(max_length=16)
    project = models.ForeignKey(Project, models.PROTECT)
    classifications = ArrayField(models.SlugField(max_length=63), default=list)

    def __str__(self) -> str:
        return f"{self.kind} {self.resource_id}: {', '.join(self.classifications) or 'public'}"


class Lineage(BaseModel):
    """A resource holds data of `source_id`, and with it the policies that were effective there at that moment.

    Rows are never changed or removed (a trigger refuses).
    """

    resource_id = models.UUIDField()
    source_id = models.UUIDField()
    policies = models.ForeignKey(PolicyDocument, models.PROTECT)
    classifications = ArrayField(models.SlugField(max_length=63), default=list)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["resource_id", "source_id", "policies"], name="placement_lineage_once")
        ]


class Decision(BaseModel):
    """A placement decision with all its inputs: andromede_core.placement.explanation renders `document`.

    The database accepts an allocation that rests on it only while its epoch and versions are in force, before
    `valid_until`, and in `admitted_zones` (a trigger of migration 0004 refuses others).
    """

    operation = models.CharField(max_length=64)
    project = models.ForeignKey(Project, models.PROTECT)
    consumer_id = models.UUIDField()
    is_admitted = models.BooleanField()
    roles = ArrayField(models.CharField(max_length=16), default=list)
    facts_epoch = models.PositiveBigIntegerField()
    platform_version = models.PositiveBigIntegerField()
    organization_version = models.PositiveBigIntegerField()
    policies = models.ForeignKey(PolicyDocument, models.PROTECT)
    classifications = ArrayField(models.SlugField(max_length=63), default=list)
    admitted_zones = ArrayField(models.CharField(max_length=63), default=list)
    valid_until = models.DateTimeField(null=True)
    document = models.JSONField()

    class Meta:
        indexes = [models.Index(fields=["consumer_id", "created_at"])]


PERMIT = machine(
    "permit",
    {
        "requested": "cosigning signed refused",
        "cosigning": "void signed refused",
        "signed": "",
        "refused": "",
        "void": "",
    },
)


OPEN = ("requested", "cosigning")


class Permit(BaseModel):
    """A permit for one node to do one operation on one resource. Its id is the permit's jti.

    | state     | means |
    |-----------|-------|
    | requested | the signer has not answered yet |
    | cosigning | the signer has signed (`document`); a sentinel has to sign too (`sentinel_signature`) |
    | signed    | it has all signatures that nodes require |
    | refused   | one of the two has refused (`error`) |
    | void      | facts or policies have changed between the two signatures; another permit is requested |
    """

    operation_id = models.UUIDField()
    op = models.CharField(max_length=64)
    resource_id = models.UUIDField()
    generation = models.PositiveBigIntegerField()
    node = models.ForeignKey(Node, models.PROTECT)
    project = models.ForeignKey(Project, models.PROTECT)
    decision = models.ForeignKey(Decision, models.PROTECT, null=True)
    state = models.CharField(max_length=16, default=PERMIT.initial)
    document = models.BinaryField(null=True)
    sentinel_signature = models.BinaryField(null=True, db_column="cosignature")
    expires_at = models.DateTimeField(null=True)
    error = models.JSONField(null=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(state__in=PERMIT.moves), name="placement_permit_state")]
        indexes = [
            models.Index(fields=["operation_id"]),
            models.Index(fields=["created_at"], condition=Q(state__in=OPEN), name="placement_permit_open"),
        ]


class Allocation(BaseModel):
    """The resources that a consumer uses on a node.

    A trigger adds them to the node's capacity inventory in the same transaction (migration 0002), and `pool_gib` to the
    used space of the pool (0012). During a migration, the allocation at the source keeps them.

    `moving_id`: the future consumer, while the allocation belongs to a migration (`consumer_id`); or the volume, if it
    belongs to an attachment that shares it with others. The decision is about that consumer.
    """

    consumer_id = models.UUIDField()
    moving_id = models.UUIDField(null=True)
    kind = models.CharField(max_length=16)
    project = models.ForeignKey(Project, models.PROTECT)
    node = models.ForeignKey(Node, models.PROTECT)
    decision = models.ForeignKey(Decision, models.PROTECT)
    group_id = models.UUIDField(null=True)
    vcpus = models.PositiveIntegerField(default=0)
    memory_mib = models.PositiveIntegerField(default=0)
    disk_gib = models.PositiveIntegerField(default=0)
    pool = models.ForeignKey(Pool, models.PROTECT, null=True)
    pool_gib = models.PositiveIntegerField(default=0, db_default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(pool_gib=0) | Q(pool__isnull=False), name="placement_allocation_gib_of_pool"
            ),
            models.UniqueConstraint(fields=["consumer_id"], name="placement_allocation_once"),
            models.CheckConstraint(condition=Q(kind__in=["instance", "volume"]), name="placement_allocation_kind"),
        ]
        indexes = [
            models.Index(fields=["group_id"]),
            models.Index(
                fields=["moving_id"], condition=Q(moving_id__isnull=False), name="placement_allocation_moving"
            ),
        ]


class Exemption(BaseModel):
    """An exemption (break-glass) with its terms and approvals.

    Two people of different roles waive stated clauses for stated resources, one operation and one zone, until
    `expires_at`. It is never deleted, and its terms never change (a trigger refuses).

    `approvals`: {approver, duty, key_id, signature (base64)}; with both it is valid, as long as the keyset has the keys
    of these people. `use_count`: how many uses there are.
    """

    project = models.ForeignKey(Project, models.PROTECT)
    resource_ids = ArrayField(models.UUIDField())
    op = models.CharField(max_length=64)
    zone = models.CharField(max_length=63)
    waived = ArrayField(models.CharField(max_length=140))
    reason = models.CharField(max_length=500)
    requested_by = models.UUIDField()
    not_before = models.DateTimeField()
    expires_at = models.DateTimeField()
    max_uses = models.PositiveSmallIntegerField(default=1)
    use_count = models.PositiveSmallIntegerField(default=0)
    approvals = models.JSONField(default=list)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(use_count__lte=models.F("max_uses")), name="placement_exemption_not_overused"
            ),
            models.CheckConstraint(
                condition=Q(expires_at__gt=models.F("not_before")), name="placement_exemption_period"
            ),
        ]
        indexes = [models.Index(fields=["project", "expires_at"])]


class ExemptionUse(BaseModel):
    """A use of an exemption, which admitted `decision_id`.

    There is one row for each operation, however often it decides again, and one for each other action. Rows are never
    changed or removed (a trigger refuses).
    """

    exemption = models.ForeignKey(Exemption, models.PROTECT)
    operation_id = models.UUIDField(null=True)
    decision_id = models.UUIDField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["exemption", "operation_id"], name="placement_exemptionuse_once")
        ]
        indexes = [models.Index(fields=["created_at"], name="placement_exemptionuse_when")]
