"""Lockout after too many failures.

The limit (settings.SIGN_IN_FAILURES) is for one account from one address. An account from all addresses, and an
address with all accounts, have EASIER times the limit. Accounts that do not exist are counted like any other.
"""

import ipaddress
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.db.models import F, Max, QuerySet, Sum

from controlplane.kernel import clock
from controlplane.signin.client_info import ClientInfo
from controlplane.signin.errors import SignInLocked
from controlplane.signin.models import FailureCount

EASIER = 4
ACCOUNT_MAX = 254


def account_of(email: str) -> str:
    """Return the name by which failures of an account are counted."""
    return email.casefold()[:ACCOUNT_MAX]


def check(origin: ClientInfo, account: str) -> None:
    """Check the failures. `account` "": no account; then failures from other addresses do not count.

    Raises:
        SignInLocked: no password is checked.
    """
    until = locked_until(origin, account)
    if until is not None:
        raise SignInLocked(until=f"{until:%Y-%m-%d %H:%M:%S} UTC")


def locked_until(origin: ClientInfo, account: str) -> datetime | None:
    limit, address = settings.SIGN_IN_FAILURES, _counted(origin.address)
    live = FailureCount.objects.filter(last_at__gt=_expired_at())
    limits = [(live.filter(account=account, address=address), limit)]
    if account:
        limits.append((live.filter(account=account), limit * EASIER))
    if address:
        limits.append((live.filter(address=address), limit * EASIER))
    locks = [_locked_until(rows, allowed) for rows, allowed in limits]
    return max((each for each in locks if each is not None), default=None)


@transaction.atomic
def record_failure(origin: ClientInfo, account: str) -> None:
    """Record a failure."""
    purge()
    address = _counted(origin.address)
    row, is_first = FailureCount.objects.get_or_create(account=account, address=address)
    if not is_first:
        FailureCount.objects.filter(pk=row.pk).update(failures=F("failures") + 1, last_at=clock.now())


def clear_failures(origin: ClientInfo, account: str) -> None:
    """Clear the failures of this account from this address, after a sign-in."""
    FailureCount.objects.filter(account=account, address=_counted(origin.address)).delete()


def clear_all_failures(account: str) -> None:
    """Clear the failures of the account from all addresses, after a new password."""
    FailureCount.objects.filter(account=account).delete()


def purge() -> None:
    """Delete expired failures, with their addresses."""
    FailureCount.objects.filter(last_at__lte=_expired_at()).delete()


def _locked_until(rows: QuerySet[FailureCount], allowed: int) -> datetime | None:
    totals = rows.aggregate(failures=Sum("failures", default=0), last_at=Max("last_at"))
    last_at: datetime | None = totals["last_at"]
    if last_at is None or totals["failures"] < allowed:
        return None
    return last_at + settings.SIGN_IN_LOCK


def _expired_at() -> datetime:
    """Return the time of the last failure up to which failures no longer count."""
    return clock.now() - settings.SIGN_IN_LOCK


def _counted(address: str | None) -> str:
    """Return the counted address, "" for a Unix socket. An IPv6 network of /64 counts as one address, since one client
    has all of it.
    """
    if address is None or ":" not in address:
        return address or ""
    return str(ipaddress.IPv6Network((address, 64), strict=False).network_address)
