"""Second factors: whether a user has or needs one, and its verification."""

from dataclasses import dataclass

from django.conf import settings

from controlplane.identity.models import Membership, User
from controlplane.signin import passkeys, totp
from controlplane.signin.errors import CodeNeeded, PasskeyRefused, WrongProof
from controlplane.signin.models import Passkey, Password, RecoveryCode, Totp

TOTP = "totp"
RECOVERY_CODE = "recovery_code"
PASSKEY = "passkey"


@dataclass(frozen=True)
class Proof:
    """Proof of a second factor: one of these, or none."""

    totp: str = ""
    recovery_code: str = ""
    passkey: passkeys.Response | None = None

    @property
    def is_empty(self) -> bool:
        return self == Proof()


def has_one(user: User) -> bool:
    has_totp = Totp.objects.filter(user=user, confirmed_at__isnull=False).exists()
    return has_totp or Passkey.objects.filter(user=user).exists()


def needs_one(user: User) -> bool:
    """Return True if the user has a second factor, or a role requires one."""
    return has_one(user) or is_demanded_of(user)


def is_demanded_of(user: User) -> bool:
    demanding = set(settings.SECOND_FACTOR_DUTIES)
    return user.platform_role in demanding or Membership.objects.filter(user=user, role__in=demanding).exists()


def prove(user: User, proof: Proof, *, account: str) -> str:
    """Verify the proof and return its method; a code is used up.

    Raises:
        CodeNeeded: there is no proof.
        WrongProof: the proof is wrong. The facts name the account of the failure.
        SignInLocked: after failures.
    """
    if proof.is_empty:
        raise CodeNeeded()
    if proof.passkey is not None:
        return _by_passkey(user, proof.passkey, account=account)
    if proof.recovery_code:
        if totp.use_recovery_code(user, proof.recovery_code):
            return RECOVERY_CODE
        raise WrongProof(account=account)
    device = Totp.objects.select_for_update().filter(user=user, confirmed_at__isnull=False).first()
    if device is None or not totp.is_right(device, proof.totp):
        raise WrongProof(account=account, code_of=user.pk)
    return TOTP


def _by_passkey(user: User, response: passkeys.Response, *, account: str) -> str:
    try:
        passkeys.prove(response, user=user)
    except PasskeyRefused as exc:
        raise WrongProof(account=account) from exc
    return PASSKEY


def methods_of(user: User) -> dict[str, object]:
    """Return the sign-in methods of the user."""
    return {
        "has_password": Password.objects.filter(user=user).exists(),
        "has_totp": Totp.objects.filter(user=user, confirmed_at__isnull=False).exists(),
        "passkeys": Passkey.objects.filter(user=user).count(),
        "recovery_codes_left": RecoveryCode.objects.filter(user=user).count(),
        "is_second_factor_demanded": is_demanded_of(user),
    }
