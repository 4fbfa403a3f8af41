"""Authentication factors of users, and their sessions.

No secret is stored in plain text: of passwords an Argon2 hash, of random secrets a SHA-256.
"""

from django.db import models
from django.db.models import Q

from controlplane.identity.models import Membership, Organization, User
from controlplane.kernel import clock
from controlplane.kernel.db import BaseModel


class Password(BaseModel):
    """A password. `encoded` is Django's: algorithm, parameters, salt and hash."""

    user = models.OneToOneField(User, models.CASCADE)
    encoded = models.CharField(max_length=255)
    changed_at = models.DateTimeField()


class PasswordLink(BaseModel):
    """A link with which its holder sets the user's password, once.

    Deleted on use. `is_first`: it is valid only while the account is new (resets.is_in_use). `valid_from`: of the link
    of a PasswordReset; other links are valid at once.
    """

    user = models.ForeignKey(User, models.CASCADE)
    sha256 = models.BinaryField(max_length=32)
    expires_at = models.DateTimeField()
    is_first = models.BooleanField(default=False, db_default=False)
    valid_from = models.DateTimeField(null=True, db_column="good_from")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["sha256"], name="signin_link_sha256_once")]


class PasswordReset(BaseModel):
    """A password reset: an operator requests it, and a second person confirms it and gets the link.

    Deleted when the link is used, or when it is withdrawn. `valid_from`: the link's.
    """

    user = models.OneToOneField(User, models.CASCADE)
    requested_by = models.ForeignKey(User, models.CASCADE, related_name="+", db_column="asked_by_id")
    confirmed_by = models.ForeignKey(User, models.CASCADE, null=True, related_name="+")
    confirmed_at = models.DateTimeField(null=True)
    valid_from = models.DateTimeField(null=True, db_column="good_from")
    expires_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(confirmed_by=None)
                | (~Q(confirmed_by=models.F("requested_by")) & ~Q(confirmed_by=models.F("user"))),
                name="signin_reset_two_people",
            )
        ]


class Session(BaseModel):
    """A session.

    `methods`: its factors, in the order of proof. `proved_at`: of the last proof. A session ends at `ended_at`, at
    `expires_at`, or when it was not used for some time, whichever is first.
    """

    user = models.ForeignKey(User, models.CASCADE)
    sha256 = models.BinaryField(max_length=32)
    address = models.GenericIPAddressField(null=True)
    user_agent = models.CharField(max_length=255, blank=True)
    methods = models.JSONField()
    is_two_factor = models.BooleanField()
    proved_at = models.DateTimeField()
    last_used_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    # True: the session has its second factor or needs none; set where a request presents the session.
    is_finished = False

    class Meta:
        constraints = [models.UniqueConstraint(fields=["sha256"], name="signin_session_sha256_once")]
        indexes = [models.Index(fields=["user"], condition=Q(ended_at=None), name="signin_session_live")]


class Totp(BaseModel):
    """Time-based codes (RFC 6238).

    `encrypted_secret`: the shared secret, under a key of settings.SECRET_KEY. It counts as a factor once a code has
    confirmed it. `last_step`: codes of this step and of earlier ones are rejected.

    Consecutive `failures` delay the next try, from any address: a code has only a million values.
    """

    user = models.OneToOneField(User, models.CASCADE)
    encrypted_secret = models.BinaryField(db_column="sealed")
    confirmed_at = models.DateTimeField(null=True)
    last_step = models.BigIntegerField(default=-1)
    failures = models.PositiveIntegerField(default=0)
    failed_at = models.DateTimeField(null=True)


class RecoveryCode(BaseModel):
    """A recovery code, in place of a code, once: deleted on use."""

    user = models.ForeignKey(User, models.CASCADE)
    sha256 = models.BinaryField(max_length=32)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "sha256"], name="signin_recovery_code_once")]


class FailureCount(BaseModel):
    """Failed sign-ins of one account from one address (lockout.py).

    `account` "": a passkey that names no account; `address` "": a Unix socket. Deleted when it no longer counts.
    """

    account = models.CharField(max_length=254, blank=True)
    address = models.CharField(max_length=39, blank=True)
    failures = models.PositiveIntegerField(default=1)
    last_at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "address"], name="signin_failure_count_once")]
        indexes = [
            models.Index(fields=["address"], name="signin_failure_address"),
            models.Index(fields=["last_at"], name="signin_failure_last_at"),
        ]


class Identity(BaseModel):
    """Link of a user to `subject` of an OpenID provider. No other claim links accounts."""

    user = models.ForeignKey(User, models.CASCADE)
    issuer = models.CharField(max_length=255)
    subject = models.CharField(max_length=255)
    last_used_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["issuer", "subject"], name="signin_identity_once")]


class GivenMembership(BaseModel):
    """A membership that a provider's groups gave, and that ends with them. Other memberships are not affected."""

    identity = models.ForeignKey(Identity, models.CASCADE)
    membership = models.OneToOneField(Membership, models.CASCADE)


class NamedOrganization(BaseModel):
    """An organization named by a provider's groups: the one that had the name when it was first used.

    An organization that takes the name later does not get the members.
    """

    provider = models.CharField(max_length=63)
    name = models.CharField(max_length=63)
    organization = models.ForeignKey(Organization, models.CASCADE)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["provider", "name"], name="signin_named_organization_once")]


class OpenIdSignIn(BaseModel):
    """A sign-in that waits for the provider's response, which comes back with `state`. Deleted on completion.

    `binding`: only the program that began it completes it; `user`: signed in already, and linking an identity.
    """

    provider = models.CharField(max_length=63)
    state_sha256 = models.BinaryField(max_length=32)
    binding_sha256 = models.BinaryField(max_length=32)
    nonce = models.CharField(max_length=64)
    verifier = models.CharField(max_length=128)
    redirect_uri = models.CharField(max_length=500)
    user = models.ForeignKey(User, models.CASCADE, null=True)
    expires_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["state_sha256"], name="signin_openid_state_once")]


class Passkey(BaseModel):
    """A key pair on a user's device. `sign_count` grows with each use, or stays 0 where the device does not count."""

    user = models.ForeignKey(User, models.CASCADE)
    name = models.CharField(max_length=63)
    credential_id = models.BinaryField()
    public_key = models.BinaryField()
    sign_count = models.BigIntegerField()
    is_backed_up = models.BooleanField()
    last_used_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["credential_id"], name="signin_passkey_once"),
            models.UniqueConstraint(fields=["user", "name"], name="signin_passkey_name_taken"),
        ]


class Ceremony(BaseModel):
    """A challenge for a passkey; deleted with the response. `user`: registers a passkey."""

    purpose = models.CharField(max_length=16)
    user = models.ForeignKey(User, models.CASCADE, null=True)
    challenge = models.BinaryField()
    expires_at = models.DateTimeField()
