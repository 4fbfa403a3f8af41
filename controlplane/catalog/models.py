from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import ArrayField, DateTimeRangeField
from django.db import models
from django.db.models import F, Func, Q

from andromede_core.facts.world import ASSERTIONS
from controlplane.identity.models import Project
from controlplane.kernel.db import BaseModel
from controlplane.kernel.states import machine
from controlplane.kernel.units import GIB, in_whole


class Region(models.Model):
    """A group of neighbouring zones. The id is a slug such as fr-idf."""

    id = models.SlugField(primary_key=True, max_length=63)
    name = models.CharField(max_length=120)
    kind = models.CharField(max_length=40, blank=True)

    def __str__(self) -> str:
        return self.id


class Zone(models.Model):
    """A failure domain at one place, under one operator. Its attributes are facts (Fact), dated and sourced."""

    id = models.SlugField(primary_key=True, max_length=63)
    region = models.ForeignKey(Region, models.PROTECT)
    status = models.CharField(max_length=16, default="open")

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(status__in=["open", "draining", "closed"]), name="catalog_zone_status")
        ]

    def __str__(self) -> str:
        return self.id


class Party(models.Model):
    """A legal entity that operates, houses, supports or supplies a zone."""

    id = models.SlugField(primary_key=True, max_length=63)
    name = models.CharField(max_length=200)

    def __str__(self) -> str:
        return self.id


class OfficerKey(BaseModel):
    """The public key (base64 of its SubjectPublicKeyInfo) of a person who may state facts or approve exemptions.

    `key_id` is part of what the key signs, and determines the algorithm. The private key is never sent to the control
    plane. A key never changes, except that it is revoked, once (migration 0003).
    """

    key_id = models.CharField(max_length=64)
    officer = models.CharField(max_length=200)
    user_id = models.UUIDField(null=True)
    public_key = models.CharField(max_length=1000)
    not_before = models.DateTimeField()
    not_after = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["key_id"], name="catalog_officer_key_once"),
            models.UniqueConstraint(fields=["public_key"], name="catalog_officer_public_key_once"),
        ]


class FactsEpoch(models.Model):
    """One row.

    It grows in the transaction of every change of a fact, a set or a charter, which its lock serialises: readers that
    depend on the facts take a SHARE lock.
    """

    id = models.PositiveSmallIntegerField(primary_key=True)
    value = models.PositiveBigIntegerField()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="catalog_facts_epoch_is_one_row")]

    def __str__(self) -> str:
        return f"facts epoch {self.value}"


class Fact(BaseModel):
    """A dated statement about a zone, a party, a named set and so on, signed by an officer.

    A correction supersedes it; the database rejects any other change (migration 0003).

    `value` null: declared as unknown. [valid_from, valid_to) is when it holds in the world; [created_at, superseded_at)
    is when the platform relied on it. From `review_by` on it counts as unknown until it is stated again.
    """

    subject_kind = models.CharField(max_length=16)
    subject_id = models.CharField(max_length=63)
    attribute = models.CharField(max_length=64)
    value = models.JSONField(null=True)
    valid_from = models.DateTimeField()
    valid_to = models.DateTimeField(null=True)
    superseded_at = models.DateTimeField(null=True)
    attested_at = models.DateTimeField()
    review_by = models.DateTimeField()
    assertion = models.CharField(max_length=16)
    evidence_sha256 = models.CharField(max_length=64, blank=True)
    author = models.CharField(max_length=200)
    key_id = models.CharField(max_length=64)
    signature = models.BinaryField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(subject_kind__in=["zone", "party", "set", "scheme_class", "region", "node", "pool"]),
                name="catalog_fact_subject_kind",
            ),
            models.CheckConstraint(condition=Q(assertion__in=ASSERTIONS), name="catalog_fact_assertion"),
            models.CheckConstraint(
                condition=Q(valid_to__isnull=True) | Q(valid_to__gt=F("valid_from")), name="catalog_fact_period"
            ),
            ExclusionConstraint(
                expressions=[
                    ("subject_kind", "="),
                    ("subject_id", "="),
                    ("attribute", "="),
                    (Func("valid_from", "valid_to", function="TSTZRANGE", output_field=DateTimeRangeField()), "&&"),
                    (
                        Func("created_at", "superseded_at", function="TSTZRANGE", output_field=DateTimeRangeField()),
                        "&&",
                    ),
                ],
                name="catalog_fact_one_belief",
            ),
        ]
        indexes = [
            models.Index(
                fields=["subject_kind", "subject_id"],
                condition=Q(superseded_at__isnull=True),
                name="catalog_fact_believed",
            )
        ]

    def holds_at(self, moment: datetime) -> bool:
        return self.valid_from <= moment and (self.valid_to is None or moment < self.valid_to)

    def is_due(self, moment: datetime) -> bool:
        """Return True if the review is due: it counts as unknown until it is stated again."""
        return moment >= self.review_by


DEFAULT_MAX_VOLUMES = 24


class Flavor(models.Model):
    """The size of an instance.

    `disk_gib` is its root disk; 0: none, its instances boot from a volume that exists. `max_volumes`: the limit of
    attached volumes beside the root disk.
    """

    id = models.SlugField(primary_key=True, max_length=63)
    vcpus = models.PositiveSmallIntegerField()
    memory_mib = models.PositiveIntegerField()
    disk_gib = models.PositiveIntegerField()
    max_volumes = models.PositiveSmallIntegerField(default=DEFAULT_MAX_VOLUMES, db_default=DEFAULT_MAX_VOLUMES)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(vcpus__gte=1, memory_mib__gte=64, disk_gib__gte=0), name="catalog_flavor_has_size"
            )
        ]

    def __str__(self) -> str:
        return self.id


LOCAL = "local"  # the default volume type, without a pool
BINDINGS = IMMEDIATE, FIRST_USE = ("immediate", "first_use")


class VolumeType(models.Model):
    """The storage of a volume. `pool`: the name of the pool; empty: a file on one node's own disk.

    `binding`: when a volume gets its place. `immediate`: at its creation; `first_use`: when an instance first needs it.
    `is_multi_attach`: several instances can have such a volume attached at once, each on a node of its own.

    The limits are of reads and writes together, fixed and for each GiB of the volume; 0: none. `organization_ids`: the
    only organizations that may use the type; empty: all. A retired type takes no new volumes. `is_imported`: a file
    has it, and the API has not changed it since.
    """

    id = models.SlugField(primary_key=True, max_length=63)
    description = models.CharField(max_length=200)
    pool = models.SlugField(max_length=40, blank=True, default="", db_default="")
    binding = models.CharField(max_length=16, default=IMMEDIATE, db_default=IMMEDIATE)
    is_multi_attach = models.BooleanField(default=False, db_default=False)
    iops = models.PositiveIntegerField(default=0, db_default=0)
    mb_per_s = models.PositiveIntegerField(default=0, db_default=0)
    iops_per_gib = models.PositiveIntegerField(default=0, db_default=0)
    mb_per_s_per_gib = models.PositiveIntegerField(default=0, db_default=0)
    organization_ids = ArrayField(models.UUIDField(), default=list, db_default=[])
    is_retired = models.BooleanField(default=False, db_default=False)
    is_imported = models.BooleanField(default=False, db_default=True)
    generation = models.PositiveBigIntegerField(default=1, db_default=1)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(binding__in=BINDINGS), name="catalog_volumetype_binding"),
            models.CheckConstraint(
                condition=Q(is_multi_attach=False) | (~Q(pool="") & Q(binding=IMMEDIATE)),
                name="catalog_volumetype_multi_attach_is_in_pool",
            ),
        ]

    def __str__(self) -> str:
        return self.id


IMAGE = machine(
    "image",
    {
        "awaiting-upload": "verifying error deleted",
        "importing": "available error deleted",
        "verifying": "available error deleted",
        "available": "deleted",
        "error": "importing deleted",
        "deleted": "",
    },
)


SOURCE_KINDS = VOLUME_SOURCE, SNAPSHOT_SOURCE = ("volume", "snapshot")


@dataclass(frozen=True)
class ImageSource:
    """A volume or a snapshot, with its name of then."""

    kind: str
    id: UUID
    name: str


class Image(BaseModel):
    """A disk image. Without a project it is public.

    `sha256` (hex) of the bytes names the file in the image store and in the nodes' caches.

    `source_kind` (`volume`, `snapshot` or empty), `source_id`, `source_name`: what it was made of, which may be deleted
    since; the name is that of then.
    """

    project = models.ForeignKey(Project, models.PROTECT, null=True)
    name = models.CharField(max_length=63)
    labels = models.JSONField(default=dict)
    generation = models.PositiveBigIntegerField(default=1)
    last_error = models.JSONField(null=True)
    state = models.CharField(max_length=16, default=IMAGE.initial)
    format = models.CharField(max_length=8)
    firmware = models.CharField(max_length=8, default="bios")
    sha256 = models.CharField(max_length=64, blank=True)
    size_bytes = models.PositiveBigIntegerField(null=True)
    virtual_size_bytes = models.PositiveBigIntegerField(null=True)
    min_memory_mib = models.PositiveIntegerField(default=0)
    source_url = models.CharField(max_length=2000, blank=True)
    source_kind = models.CharField(max_length=16, blank=True, default="", db_default="")
    source_id = models.UUIDField(null=True)
    source_name = models.CharField(max_length=63, blank=True, default="", db_default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project", "name"],
                condition=~Q(state="deleted"),
                nulls_distinct=False,
                name="catalog_image_name_taken",
            ),
            models.CheckConstraint(condition=Q(state__in=IMAGE.moves), name="catalog_image_state"),
            models.CheckConstraint(condition=Q(format__in=["qcow2", "raw"]), name="catalog_image_format"),
            models.CheckConstraint(condition=Q(firmware__in=["bios", "uefi"]), name="catalog_image_firmware"),
            models.CheckConstraint(
                condition=~Q(state="available")
                | Q(size_bytes__isnull=False, virtual_size_bytes__isnull=False, sha256__gt=""),
                name="catalog_image_available_is_known",
            ),
            models.CheckConstraint(
                condition=Q(source_kind="", source_id__isnull=True)
                | Q(source_kind__in=["volume", "snapshot"], source_id__isnull=False, project__isnull=False),
                name="catalog_image_source_is_whole",
            ),
        ]
        indexes = [
            models.Index(
                fields=["source_id"],
                condition=Q(state="importing", source_id__isnull=False),
                name="catalog_image_of_data",
            )
        ]

    @property
    def source(self) -> "ImageSource | None":
        """Return what the image was made of; None: of a file."""
        return ImageSource(self.source_kind, self.source_id, self.source_name) if self.source_id is not None else None

    @property
    def min_disk_gib(self) -> int:
        """Return the smallest disk size for the image, in GiB."""
        return in_whole(self.virtual_size_bytes or 0, GIB)
