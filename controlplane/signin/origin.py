"""From where a request comes."""

import ipaddress
from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest

from controlplane.kernel.fields import CONTROL

USER_AGENT_MAX = 255


@dataclass(frozen=True)
class Origin:
    """`address` None: it came through a socket that has none."""

    address: str | None = None
    user_agent: str = ""
    request_id: str = ""


def origin_of(request: HttpRequest) -> Origin:
    user_agent = CONTROL.sub("", request.META.get("HTTP_USER_AGENT", ""))[:USER_AGENT_MAX]
    return Origin(address_of(request), user_agent, getattr(request, "request_id", ""))


def address_of(request: HttpRequest) -> str | None:
    """The client's address: what the outermost of our own proxies has seen, which is as many entries from the end of
    X-Forwarded-For as there are proxies. What stands before that, anybody may have written."""
    address = request.META.get("REMOTE_ADDR", "")
    if settings.PROXY_COUNT:
        told = [part.strip() for part in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")]
        address = told[-settings.PROXY_COUNT] if len(told) >= settings.PROXY_COUNT else address
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        return None


def remote_address(request: HttpRequest) -> str | None:
    """What lockout.py has told django-axes."""
    address: str | None = request.META["REMOTE_ADDR"]
    return address
