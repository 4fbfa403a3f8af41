from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from controlplane.kernel.db import BaseModel, Versioned


class Organization(Versioned):
    """The customer. Its projects share members, policy and bill. Deleted as a project is."""

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
    """Where resources live, and the wall between tenants. The row of one that was deleted stays, since what is on
    record names it; `deleted_at` says so."""

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
    """A person. Operators run the platform; auditors read all of it, and support what tenants have but not what is in
    it, and neither writes anything. What else a user may do, memberships say.

    Nobody gets in as a user who is suspended or has ended. The row of one who has ended stays, since what is on record
    names it; the address stays taken."""

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
    def duty(self) -> str:
        """For the platform: operator, support, auditor, or nothing."""
        return "operator" if self.is_operator else "auditor" if self.is_auditor else "support" * self.is_support

    @property
    def state(self) -> str:
        """active, suspended or ended."""
        return "ended" if self.ended_at is not None else "active" if self.suspended_at is None else "suspended"


class Role(models.TextChoices):
    """Each may what the next may, but for the last two: billing sees limits and use alone; a sovereignty officer reads
    everything and writes what the organization demands of places, and nobody else's role includes that."""

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
    """That somebody become a member. Of its secret, which the inviter is shown once, only the SHA-256 is kept. It waits
    until it is accepted, revoked or expired. `has_made_user`: nobody was signed in who accepted it, and so it made the
    user of its address."""

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
    """A program of an organization. What it may do, its grants say; while it is disabled its tokens are dead."""

    organization = models.ForeignKey(Organization, models.CASCADE)
    name = models.CharField(max_length=63)
    disabled_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization", "name"], name="identity_service_account_name_taken")
        ]


class Grant(BaseModel):
    """A service account's role, in one project or (null) in all of its organization."""

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
    """A credential, of a user or of a service account. Only its SHA-256 is kept: the secret has 256 random bits, a slow
    hash would add nothing.

    `prefix` is the visible head of the secret, by which people recognise it. One with a project is good there alone,
    for `role` at most. One without is good wherever its owner has a role (`role` at most, unless that is empty), and
    with `is_platform` also for the owner's duty for the platform. `verbs`, `kinds` and `project_ids` limit it further;
    null: they do not. `parent` is the token that issued it, with which it ends. `issuer_id`: the user in whose session
    it was issued; null: by a token, by `manage.py`, or before migration 0005.
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
        """Whether it gets what its owner is given later."""
        return not self.role


class ProjectResource(Versioned):
    """Base of everything that lives in a project: its name, labels, generation and last failure.

    Agents refuse a generation older than one they have seen.
    `last_error` is the document of a CloudError (kernel.errors), or null.
    """

    project = models.ForeignKey(Project, models.PROTECT)
    name = models.CharField(max_length=63)
    labels = models.JSONField(default=dict)
    last_error = models.JSONField(null=True)

    class Meta:
        abstract = True
