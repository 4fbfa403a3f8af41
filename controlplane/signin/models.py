"""What people prove themselves with, and their sessions. No secret is kept: of passwords an Argon2 hash, of what has
enough random bits of its own a SHA-256."""

from django.db import models
from django.db.models import Q

from controlplane.identity.models import Membership, Organization, User
from controlplane.kernel.db import BaseModel


class Password(BaseModel):
    """`encoded` is Django's: algorithm, parameters, salt and hash."""

    user = models.OneToOneField(User, models.CASCADE)
    encoded = models.CharField(max_length=255)
    changed_at = models.DateTimeField()


class PasswordLink(BaseModel):
    """Lets whoever has its secret choose the user's password, once. It goes when it is used. `is_first`: it is good
    only while the account is new (resets.is_in_use). `good_from`: of the link of
    a PasswordReset; others are good at once."""

    user = models.ForeignKey(User, models.CASCADE)
    sha256 = models.BinaryField(max_length=32)
    expires_at = models.DateTimeField()
    is_first = models.BooleanField(default=False, db_default=False)
    good_from = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["sha256"], name="signin_link_sha256_once")]


class PasswordReset(BaseModel):
    """That somebody's password be set anew: an operator has asked for it, and a second person confirms it and gets the
    link. It goes when the link is used, or when it is withdrawn. `good_from`: the link's."""

    user = models.OneToOneField(User, models.CASCADE)
    asked_by = models.ForeignKey(User, models.CASCADE, related_name="+")
    confirmed_by = models.ForeignKey(User, models.CASCADE, null=True, related_name="+")
    confirmed_at = models.DateTimeField(null=True)
    good_from = models.DateTimeField(null=True)
    expires_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(confirmed_by=None)
                | (~Q(confirmed_by=models.F("asked_by")) & ~Q(confirmed_by=models.F("user"))),
                name="signin_reset_two_people",
            )
        ]


class Session(BaseModel):
    """`methods`: what it was proved with, in the order it was. `proved_at`: when last. A session ends at `ended_at`, at
    `expires_at`, or when it was not used for some time, whichever is first."""

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
    # Whether it has the second factor or needs none; set where a request shows the session.
    is_finished = False

    class Meta:
        constraints = [models.UniqueConstraint(fields=["sha256"], name="signin_session_sha256_once")]
        indexes = [models.Index(fields=["user"], condition=Q(ended_at=None), name="signin_session_live")]


class Totp(BaseModel):
    """Codes by the time (RFC 6238). `sealed`: the shared secret, under a key of settings.SECRET_KEY. It counts as a
    factor once a code has confirmed it. `last_step`: no code of this step or one before is taken again.

    `failures` in a row make the next try wait, wherever it comes from: a code has only a million values.
    """

    user = models.OneToOneField(User, models.CASCADE)
    sealed = models.BinaryField()
    confirmed_at = models.DateTimeField(null=True)
    last_step = models.BigIntegerField(default=-1)
    failures = models.PositiveIntegerField(default=0)
    failed_at = models.DateTimeField(null=True)


class RecoveryCode(BaseModel):
    """In place of a code, once: it goes when it is used."""

    user = models.ForeignKey(User, models.CASCADE)
    sha256 = models.BinaryField(max_length=32)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "sha256"], name="signin_recovery_code_once")]


class Identity(BaseModel):
    """Whom an OpenID provider calls `subject` is this user. Nothing else of what it says makes two people one."""

    user = models.ForeignKey(User, models.CASCADE)
    issuer = models.CharField(max_length=255)
    subject = models.CharField(max_length=255)
    last_used_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["issuer", "subject"], name="signin_identity_once")]


class GivenMembership(BaseModel):
    """A membership that comes from a provider's groups, and goes with them. Others are none of its business."""

    identity = models.ForeignKey(Identity, models.CASCADE)
    membership = models.OneToOneField(Membership, models.CASCADE)


class NamedOrganization(BaseModel):
    """Which organization a provider's groups mean by a name: the one that had it when it was first needed. Whoever
    takes the name later does not get the members."""

    provider = models.CharField(max_length=63)
    name = models.CharField(max_length=63)
    organization = models.ForeignKey(Organization, models.CASCADE)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["provider", "name"], name="signin_named_organization_once")]


class OpenIdSignIn(BaseModel):
    """A sign-in that waits for the provider's answer, which comes back with `state`. It goes when it is completed.

    `binding`: only who began it completes it; `user`: who has signed in and wants to be known by the provider too.
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
    """A key pair on somebody's device. `sign_count` grows with each use, or stays 0 where the device does not count."""

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
    """A challenge that a passkey is to answer; it goes with the answer. `user`: who registers one."""

    purpose = models.CharField(max_length=16)
    user = models.ForeignKey(User, models.CASCADE, null=True)
    challenge = models.BinaryField()
    expires_at = models.DateTimeField()
