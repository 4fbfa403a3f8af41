"""Address and user agent of a sign-in request."""

from dataclasses import dataclass

from django.http import HttpRequest

from controlplane.kernel.client_address import client_address
from controlplane.kernel.query_parameters import CONTROL

USER_AGENT_MAX = 255


@dataclass(frozen=True)
class ClientInfo:
    """The client. `address` None: it came through a Unix socket."""

    address: str | None = None
    user_agent: str = ""
    request_id: str = ""


def client_info(request: HttpRequest) -> ClientInfo:
    user_agent = CONTROL.sub("", request.META.get("HTTP_USER_AGENT", ""))[:USER_AGENT_MAX]
    return ClientInfo(client_address(request), user_agent, getattr(request, "request_id", ""))
