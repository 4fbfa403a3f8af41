"""Second factors that are typed: time-based codes, and recovery codes."""

import base64
import logging
import secrets
from datetime import timedelta
from urllib.parse import quote, urlencode
from uuid import UUID

from django.db.models import F
from django_otp.oath import TOTP

from controlplane.identity.models import User
from controlplane.kernel import clock, encryption
from controlplane.kernel.ids import new_id
from controlplane.signin import secret_tokens
from controlplane.signin.errors import SignInLocked
from controlplane.signin.models import RecoveryCode, Totp

log = logging.getLogger(__name__)

ISSUER = "Andromede"
PURPOSE = "signin totp"
STEP_S = 30
DIGITS = 6
TOLERANCE = 1  # steps: clocks of phones differ
SECRET_BYTES = 20
WAIT_MAX_S = 3600
RECOVERY_CODES = 10
RECOVERY_BYTES = 10  # 80 bits


def begin(user: User) -> tuple[str, str]:
    """Create a secret in place of an unconfirmed one; returns it in base32, and as the URI that applications read."""
    key = secrets.token_bytes(SECRET_BYTES)
    Totp.objects.filter(user=user, confirmed_at=None).delete()
    row_id = new_id()
    Totp.objects.create(id=row_id, user=user, encrypted_secret=encryption.encrypt(key, purpose=PURPOSE, row_id=row_id))
    written = base64.b32encode(key).decode()
    query = {"secret": written, "issuer": ISSUER, "algorithm": "SHA1", "digits": DIGITS, "period": STEP_S}
    return written, f"otpauth://totp/{ISSUER}:{quote(user.email)}?{urlencode(query)}"


def is_right(totp: Totp, code: str) -> bool:
    """Verify a code of about now, and use it up.

    Raises:
        SignInLocked: after failures; the code is not checked.
    """
    _check_wait(totp)
    step = _step_of(totp, code)
    if step is None:
        return False
    won = Totp.objects.filter(pk=totp.pk, last_step__lt=step).update(last_step=step, failures=0, failed_at=None)
    return won == 1


def record_failure(user_id: UUID) -> None:
    Totp.objects.filter(user=user_id).update(failures=F("failures") + 1, failed_at=clock.now())


def _check_wait(totp: Totp) -> None:
    if totp.failed_at is None:
        return
    wait_s = min(2 ** min(totp.failures, 30) // 4, WAIT_MAX_S)
    until = totp.failed_at + timedelta(seconds=wait_s)
    if clock.now() < until:
        raise SignInLocked(until=f"{until:%Y-%m-%d %H:%M:%S} UTC")


def _step_of(totp: Totp, code: str) -> int | None:
    if not (code.isascii() and code.isdecimal() and len(code) == DIGITS):
        return None
    try:
        key = encryption.decrypt(bytes(totp.encrypted_secret), purpose=PURPOSE, row_id=totp.pk)
    except encryption.DecryptionFailed:
        log.error("TOTP secret of user %s cannot be decrypted, it is encrypted under another secret key", totp.user_id)
        return None
    reader = TOTP(key, step=STEP_S, digits=DIGITS)
    reader.time = clock.now().timestamp()
    return reader.t() if reader.verify(int(code), tolerance=TOLERANCE, min_t=totp.last_step + 1) else None


def new_recovery_codes(user: User) -> list[str]:
    """Create recovery codes in place of the former ones."""
    codes = [_recovery_code() for _ in range(RECOVERY_CODES)]
    RecoveryCode.objects.filter(user=user).delete()
    RecoveryCode.objects.bulk_create(RecoveryCode(user=user, sha256=_recovery_digest(user, each)) for each in codes)
    return codes


def use_recovery_code(user: User, code: str) -> bool:
    """Use a recovery code; returns True if it was one of the user's, which is then deleted."""
    gone, _ = RecoveryCode.objects.filter(user=user, sha256=_recovery_digest(user, code)).delete()
    return gone == 1


def _recovery_code() -> str:
    letters = base64.b32encode(secrets.token_bytes(RECOVERY_BYTES)).decode().lower()
    return "-".join(letters[at : at + 4] for at in range(0, len(letters), 4))


def _recovery_digest(user: User, code: str) -> bytes:
    written = code.replace("-", "").replace(" ", "").lower()
    return secret_tokens.digest(f"{user.pk}:{written}")
