"""Lockout after too many failures. django-axes stores the failures; this module evaluates them.

The limit (settings.AXES_FAILURE_LIMIT) is for one account from one address. An account from all addresses, and an
address with all accounts, have EASIER times the limit. Accounts that do not exist are counted like any other.
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
    """Record a failure."""
    handler, request, credentials = _axes(origin, account)
    handler.user_login_failed(record_failure, credentials, request)


def clear_failures(origin: ClientInfo, account: str) -> None:
    """Clear the failures of this account from this address, after a sign-in."""
    handler, request, _ = _axes(origin, account)
    handler.reset_attempts(username=account, ip_address=request.axes_ip_address)


def clear_all_failures(account: str) -> None:
    """Clear the failures of the account from all addresses, after a new password."""
    handler, _, _ = _axes(ClientInfo(), account)
    handler.reset_attempts(username=account)


def purge() -> None:
    """Delete expired failures, with their addresses."""
    handler, request, credentials = _axes(ClientInfo(), "")
    handler.clean_expired_user_attempts(request, credentials)


def _counted(address: str | None) -> str | None:
    """Return the counted address: an IPv6 network of /64 counts as one address, since one client has all of it."""
    if address is None or ":" not in address:
        return address
    return str(ipaddress.IPv6Network((address, 64), strict=False).network_address)


def _axes(origin: ClientInfo, account: str) -> tuple[Any, Any, dict[str, str]]:
    request = HttpRequest()
    request.META = {"REMOTE_ADDR": _counted(origin.address), "HTTP_USER_AGENT": origin.user_agent}
    AxesProxyHandler.update_request(request)
    return AxesDatabaseHandler(), cast(Any, request), {settings.AXES_USERNAME_FORM_FIELD: account}
