from django.db import models
from django.db.models import Q

from controlplane.kernel.db import BaseModel


class Organization(BaseModel):
    """The customer. Its projects share members, policy and bill."""

    name = models.CharField(max_length=63)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["name"], name="identity_organization_name_taken")]


class Project(BaseModel):
    """Where resources live, and the wall between tenants."""

    organization = models.ForeignKey(Organization, models.PROTECT)
    name = models.CharField(max_length=63)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organization", "name"], name="identity_project_name_taken")]


class User(BaseModel):
    """A person or a program. Operators run the platform, auditors read all of it and write nothing; what else a user
    may do, memberships say."""

    email = models.EmailField(max_length=254)
    is_operator = models.BooleanField(default=False)
    is_auditor = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["email"], name="identity_user_email_taken"),
            models.CheckConstraint(condition=~Q(is_operator=True, is_auditor=True), name="identity_user_one_duty"),
        ]


class Role(models.TextChoices):
    """Each may what the next may, but for the last: a sovereignty officer reads everything and writes what the
    organization demands of places, and nobody else's role includes that."""

    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"
    VIEWER = "viewer"
    SOVEREIGNTY_OFFICER = "sovereignty_officer"


class Membership(BaseModel):
    organization = models.ForeignKey(Organization, models.CASCADE)
    user = models.ForeignKey(User, models.CASCADE)
    role = models.CharField(max_length=32, choices=Role)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organization", "user"], name="identity_membership_once")]


class ApiToken(BaseModel):
    """A credential. Only its SHA-256 is kept: the secret has 256 random bits, a slow hash would add nothing.

    `prefix` is the visible head of the secret, by which people recognise it. A token without a project is an
    operator's or an auditor's.
    """

    user = models.ForeignKey(User, models.CASCADE)
    project = models.ForeignKey(Project, models.CASCADE, null=True)
    name = models.CharField(max_length=63)
    role = models.CharField(max_length=32, choices=Role)
    prefix = models.CharField(max_length=16)
    sha256 = models.BinaryField(max_length=32)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["sha256"], name="identity_token_sha256_once"),
            models.UniqueConstraint(
                fields=["project", "name"],
                condition=Q(revoked_at__isnull=True),
                name="identity_token_name_taken",
            ),
        ]


class ProjectResource(BaseModel):
    """Base of everything that lives in a project: its name, labels, generation and last failure.

    `generation` grows with every accepted change; agents refuse a generation older than one they have seen.
    `last_error` is the document of a CloudError (kernel.errors), or null.
    """

    project = models.ForeignKey(Project, models.PROTECT)
    name = models.CharField(max_length=63)
    labels = models.JSONField(default=dict)
    generation = models.PositiveBigIntegerField(default=1)
    last_error = models.JSONField(null=True)

    class Meta:
        abstract = True
