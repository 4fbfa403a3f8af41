"""Every request has an id: the caller's own, if it is a sane one, or a new one. Answers, records and logs carry it.
No answer of the API may be stored by caches, unless its view says so."""

import re
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from controlplane.kernel.ids import new_id
from telemetry.logs import log_context

HEADER = "X-Request-Id"
API = re.compile(r"/(v[0-9]+|\.well-known)(/|$)")
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


def is_api(request: HttpRequest) -> bool:
    """Whether a program asks, be it for a version that there is not. All other addresses are the dashboard's, which
    asks the API in turn."""
    return API.match(request.path) is not None


def request_id_of(request: HttpRequest) -> str:
    request_id: str = getattr(request, "request_id", "")
    return request_id
