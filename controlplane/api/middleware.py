"""Middleware for request ids, caching and the Content-Security-Policy.

The id of a request is the client's own, if it is valid, or a new one; responses, records and logs carry it. Caches may
store no response of the API, unless its view allows it, and browsers load nothing for it.
"""

import re
from collections.abc import Callable
from typing import Any

from csp.constants import HEADER as CONTENT_SECURITY_POLICY
from csp.middleware import CSPMiddleware
from django.http import HttpRequest, HttpResponse

from controlplane.kernel.ids import new_id
from telemetry.logs import log_context

HEADER = "X-Request-Id"
API = re.compile(r"/(v[0-9]+|\.well-known)(/|$)")
API_CONTENT_SECURITY = "default-src 'none'; frame-ancestors 'none'"  # OWASP REST Security Cheat Sheet
SANE = re.compile(r"[A-Za-z0-9._:-]{8,64}")


class RequestIdMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get(HEADER, "")
        request_id = given if SANE.fullmatch(given) else str(new_id())
        request.request_id = request_id  # type: ignore[attr-defined]
        with log_context(request_id=request_id):
            response = self.get_response(request)
        response[HEADER] = request_id
        if is_api(request):
            response.headers.setdefault("Cache-Control", "no-store")
        return response


class ContentSecurityMiddleware(CSPMiddleware):
    """Set the Content-Security-Policy: that of the settings for pages, one that forbids everything for the API."""

    async_capable = False

    def __call__(self, request: HttpRequest) -> Any:
        if not is_api(request):
            return super().__call__(request)
        response: Any = self.get_response(request)
        response[CONTENT_SECURITY_POLICY] = API_CONTENT_SECURITY
        return response


def is_api(request: HttpRequest) -> bool:
    """Return True for requests to the API, including versions that do not exist.

    The dashboard serves all other addresses, and calls the API itself.
    """
    return API.match(request.path) is not None


def request_id_of(request: HttpRequest) -> str:
    request_id: str = getattr(request, "request_id", "")
    return request_id
