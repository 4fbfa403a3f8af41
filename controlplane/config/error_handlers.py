"""Handlers of unknown routes and of errors outside of all views: a problem (RFC 9457) for programs, a page for
browsers.
"""

from django.http import HttpRequest, HttpResponse

from controlplane.api import problems
from controlplane.api.middleware import is_api
from controlplane.dashboard.views import error_pages


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return problems.bad_request(request, exception) if is_api(request) else error_pages.bad_request(request)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return problems.not_found(request, exception) if is_api(request) else error_pages.not_found(request)


def server_error(request: HttpRequest) -> HttpResponse:
    return problems.server_error(request) if is_api(request) else error_pages.server_error(request)
