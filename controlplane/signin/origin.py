"""From where a request comes."""

from dataclasses import dataclass

from django.http import HttpRequest

from controlplane.kernel.origin import address_of
from controlplane.kernel.parameters import CONTROL

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


def remote_address(request: HttpRequest) -> str | None:
    """What lockout.py has told django-axes."""
    address: str | None = request.META["REMOTE_ADDR"]
    return address
