"""Whoever fails too often has to wait. django-axes keeps the failures; this says what they count for.

The limit (settings.AXES_FAILURE_LIMIT) is for one account from one address. An account from everywhere, and an address
with all the accounts that it tries, have EASIER times as many. Accounts that do not exist are counted like any other.
"""

import ipaddress
from datetime import datetime
from typing import Any, cast

from axes.handlers.database import AxesDatabaseHandler
from axes.handlers.proxy import AxesProxyHandler
from django.conf import settings
from django.http import HttpRequest

from controlplane.signin.client_info import ClientInfo
from controlplane.signin.errors import SignInLocked

EASIER = 4
ACCOUNT_MAX = 254


def account_of(email: str) -> str:
    """By which failures are counted."""
    return email.casefold()[:ACCOUNT_MAX]


def check(origin: ClientInfo, account: str) -> None:
    """`account` "": of nobody; then failures of other addresses do not count, since they are strangers'.

    Raises:
        SignInLocked: nobody is even asked for a password.
    """
    until = locked_until(origin, account)
    if until is not None:
        raise SignInLocked(until=f"{until:%Y-%m-%d %H:%M:%S} UTC")


def locked_until(origin: ClientInfo, account: str) -> datetime | None:
    handler, request, credentials = _axes(origin, account)
    of_both, of_account, of_address = handler.get_user_attempts(request, credentials)
    limit = settings.AXES_FAILURE_LIMIT
    limits = [(of_both, limit)]
    if account:
        limits.append((of_account, limit * EASIER))
    if origin.address is not None:
        limits.append((of_address, limit * EASIER))
    locks = []
    for rows, allowed in limits:
        attempts = list(rows)
        if sum(each.failures_since_start for each in attempts) >= allowed:
            locks.append(max(each.attempt_time for each in attempts) + settings.AXES_COOLOFF_TIME)
    return max(locks, default=None)


def record_failure(origin: ClientInfo, account: str) -> None:
    """One more failure."""
    handler, request, credentials = _axes(origin, account)
    handler.user_login_failed(record_failure, credentials, request)


def clear_failures(origin: ClientInfo, account: str) -> None:
    """Of this account from this address: it has signed in."""
    handler, request, _ = _axes(origin, account)
    handler.reset_attempts(username=account, ip_address=request.axes_ip_address)


def clear_all_failures(account: str) -> None:
    """From wherever: it has a new password."""
    handler, _, _ = _axes(ClientInfo(), account)
    handler.reset_attempts(username=account)


def purge() -> None:
    """Failures that count no more are forgotten, with the addresses that they came from."""
    handler, request, credentials = _axes(ClientInfo(), "")
    handler.clean_expired_user_attempts(request, credentials)


def _counted(address: str | None) -> str | None:
    """An IPv6 network of /64 is one place: whoever has one address of it has all."""
    if address is None or ":" not in address:
        return address
    return str(ipaddress.IPv6Network((address, 64), strict=False).network_address)


def _axes(origin: ClientInfo, account: str) -> tuple[Any, Any, dict[str, str]]:
    request = HttpRequest()
    request.META = {"REMOTE_ADDR": _counted(origin.address), "HTTP_USER_AGENT": origin.user_agent}
    AxesProxyHandler.update_request(request)
    return AxesDatabaseHandler(), cast(Any, request), {settings.AXES_USERNAME_FORM_FIELD: account}
