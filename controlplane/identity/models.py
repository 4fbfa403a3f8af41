from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from controlplane.kernel.db import BaseModel, Versioned


class Organization(Versioned):
    """An organization. Its projects share members, policy and bill. Deleted like a project."""

    name = models.CharField(max_length=63)
    labels = models.JSONField(default=dict)
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["name"], condition=Q(deleted_at__isnull=True), name="identity_organization_name_taken"
            )
        ]


class Project(Versioned):
    """A project: the owner of resources, and the boundary between tenants.

    A deleted project keeps its row, since records refer to it; `deleted_at` marks it.
    """

    organization = models.ForeignKey(Organization, models.PROTECT)
    name = models.CharField(max_length=63)
    labels = models.JSONField(default=dict)
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "name"],
                condition=Q(deleted_at__isnull=True),
                name="identity_project_name_taken",
            )
        ]


class User(Versioned):
    """A person.

    Operators run the platform; auditors read all of it, and support reads tenants' resources but not their contents;
    auditors and support write nothing. Memberships give the other rights.

    A suspended or ended user cannot sign in. An ended user keeps the row, since records refer to it, and the address.
    """

    email = models.EmailField(max_length=254)
    is_operator = models.BooleanField(default=False)
    is_auditor = models.BooleanField(default=False)
    is_support = models.BooleanField(default=False)
    generation = models.PositiveBigIntegerField(default=1, db_default=1)
    suspended_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    last_sign_in_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["email"], name="identity_user_email_taken"),
            models.CheckConstraint(
                condition=~Q(is_operator=True, is_auditor=True)
                & ~Q(is_operator=True, is_support=True)
                & ~Q(is_auditor=True, is_support=True),
                name="identity_user_one_duty",
            ),
            models.CheckConstraint(
                condition=Q(ended_at=None) | Q(is_operator=False, is_auditor=False, is_support=False),
                name="identity_user_ended_has_no_duty",
            ),
        ]

    @property
    def platform_role(self) -> str:
        """Return the platform role: operator, support, auditor, or an empty text."""
        return "operator" if self.is_operator else "auditor" if self.is_auditor else "support" * self.is_support

    @property
    def state(self) -> str:
        """Return the state: active, suspended or ended."""
        return "ended" if self.ended_at is not None else "active" if self.suspended_at is None else "suspended"


class Role(models.TextChoices):
    """Roles in an organization.

    Each includes the next one, except the last two: billing only sees limits and usage; a sovereignty officer reads
    everything and writes the organization's policy, and no other role includes that.
    """

    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"
    VIEWER = "viewer"
    BILLING = "billing"
    SOVEREIGNTY_OFFICER = "sovereignty_officer"


class Membership(Versioned):
    organization = models.ForeignKey(Organization, models.CASCADE)
    user = models.ForeignKey(User, models.CASCADE)
    role = models.CharField(max_length=32, choices=Role)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organization", "user"], name="identity_membership_once")]


class Invitation(BaseModel):
    """An invitation to become a member.

    Of its secret, which the inviter is shown once, only the SHA-256 is stored. It is pending until it is accepted,
    revoked or expired. `has_made_user`: it was accepted without a session, and so created the user of its address.
    """

    organization = models.ForeignKey(Organization, models.CASCADE)
    email = models.EmailField(max_length=254)
    role = models.CharField(max_length=32, choices=Role)
    invited_by = models.ForeignKey(User, models.CASCADE, null=True)
    sha256 = models.BinaryField(max_length=32)
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)
    has_made_user = models.BooleanField(default=False, db_default=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["sha256"], name="identity_invitation_sha256_once")]


class ServiceAccount(Versioned):
    """A program of an organization. Its role grants give its rights; while it is disabled its tokens are rejected."""

    organization = models.ForeignKey(Organization, models.CASCADE)
    name = models.CharField(max_length=63)
    disabled_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization", "name"], name="identity_service_account_name_taken")
        ]


class Grant(BaseModel):
    """A role grant: a service account's role, in one project or (null) in all of its organization."""

    service_account = models.ForeignKey(ServiceAccount, models.CASCADE, related_name="grants")
    project = models.ForeignKey(Project, models.CASCADE, null=True)
    role = models.CharField(max_length=32, choices=Role)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["service_account", "project"], nulls_distinct=False, name="identity_grant_once"
            )
        ]


class ApiToken(BaseModel):
    """A credential of a user or of a service account.

    Only its SHA-256 is stored: the secret has 256 random bits, a slow hash would add nothing.

    `prefix` is the visible beginning of the secret, by which people recognise it. A token with a project is valid there
    alone, for `role` at most. One without is valid wherever its owner has a role (`role` at most, unless that is
    empty), and with `is_platform` also for the owner's platform role. `verbs`, `kinds` and `project_ids` limit it
    further; null: no limit. `parent` is the token that issued it, with which it ends. `issuer_id`: the user in whose
    session it was issued; null: by a token, by `manage.py`, or before migration 0005.
    """

    user = models.ForeignKey(User, models.CASCADE, null=True)
    service_account = models.ForeignKey(ServiceAccount, models.CASCADE, null=True)
    project = models.ForeignKey(Project, models.CASCADE, null=True)
    parent = models.ForeignKey("self", models.SET_NULL, null=True)
    issuer_id = models.UUIDField(null=True)
    name = models.CharField(max_length=63)
    role = models.CharField(max_length=32, choices=Role, blank=True)
    is_platform = models.BooleanField(default=False)
    verbs = ArrayField(models.CharField(max_length=16), null=True)
    kinds = ArrayField(models.CharField(max_length=63), null=True)
    project_ids = ArrayField(models.UUIDField(), null=True)
    prefix = models.CharField(max_length=16)
    sha256 = models.BinaryField(max_length=32)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)
    last_used_from = models.GenericIPAddressField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["sha256"], name="identity_token_sha256_once"),
            models.UniqueConstraint(
                fields=["project", "name"],
                condition=Q(revoked_at__isnull=True),
                name="identity_token_name_taken",
            ),
            models.UniqueConstraint(
                fields=["service_account", "name"],
                condition=Q(revoked_at__isnull=True),
                name="identity_token_account_name_taken",
            ),
            models.CheckConstraint(
                condition=Q(user__isnull=False, service_account__isnull=True)
                | Q(user__isnull=True, service_account__isnull=False),
                name="identity_token_one_owner",
            ),
            models.CheckConstraint(
                condition=~Q(is_platform=True) | Q(user__isnull=False, project__isnull=True),
                name="identity_token_platform_is_a_users",
            ),
        ]

    @property
    def follows_owner(self) -> bool:
        """Return True if the token also gets roles that its owner is given later."""
        return not self.role


class ProjectResource(Versioned):
    """Base of all resources of a project: name, labels, generation and last failure.

    Agents reject a generation older than the last one. `last_error` is the document of a CloudError (kernel.errors), or
    null.
    """

    project = models.ForeignKey(Project, models.PROTECT)
    name = models.CharField(max_length=63)
    labels = models.JSONField(default=dict)
    last_error = models.JSONField(null=True)

    class Meta:
        abstract = True
