"""Problem documents (RFC 9457): the only place where errors get HTTP statuses and the caller's language."""

import logging
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from django.db import InterfaceError, InternalError, OperationalError
from django.http import Http404, HttpRequest, JsonResponse
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response

from andromede_core.documents.messages import Message
from controlplane.api.errors import (
    BodyMalformed,
    MediaTypeNotSupported,
    MethodNotAllowed,
    RequestMalformed,
    RouteNotFound,
)
from controlplane.api.middleware import request_id_of
from controlplane.api.parsers import escaped
from controlplane.kernel.error_messages import describe
from controlplane.kernel.errors import (
    BodyTooLarge,
    CloudError,
    Conflict,
    Forbidden,
    Gone,
    InsufficientStorage,
    InvalidRequest,
    NotFound,
    Outdated,
    TooMany,
    Unauthenticated,
    Unavailable,
    Unprocessable,
)
from controlplane.kernel.views import LengthRequired, VersionRequired
from controlplane.terraform.errors import StateLocked

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 2
ERRORS_MAX = 100  # at most so many errors of a body are listed
IDLE_TRANSACTION = "25P03"  # PostgreSQL has ended the session
TYPE = "/v1/problems/"  # followed by the code: the page about it
STATUS: Mapping[type[CloudError], int] = {
    CloudError: 500,
    InvalidRequest: 400,
    Unauthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    MethodNotAllowed: 405,
    Conflict: 409,
    Gone: 410,
    LengthRequired: 411,
    Outdated: 412,
    BodyTooLarge: 413,
    MediaTypeNotSupported: 415,
    Unprocessable: 422,
    StateLocked: 423,
    VersionRequired: 428,
    TooMany: 429,
    Unavailable: 503,
    InsufficientStorage: 507,
}
# Codes of invalid fields, by REST framework's codes.
FIELD_CODES = {
    "blank": "too_short",
    "empty": "too_short",
    "invalid": "wrong_type",
    "invalid_choice": "not_one_of",
    "max_length": "too_long",
    "max_string_length": "too_long",
    "max_value": "too_large",
    "min_length": "too_short",
    "min_value": "too_small",
    "not_a_dict": "wrong_type",
    "not_a_list": "wrong_type",
    "null": "wrong_type",
    "null_characters_not_allowed": "control_characters",
}


def status_of(error: type[CloudError]) -> int:
    """Return the status of an error: its class's, or that of the nearest ancestor."""
    return next(STATUS[ancestor] for ancestor in error.__mro__ if ancestor in STATUS)


def exception_handler(exc: Exception, context: dict[str, Any]) -> Response | None:
    """Handle an exception as REST framework's hook.

    None for a bug: that ends in `server_error`, and in the log with its traceback.
    """
    request: Request = context["request"]
    if isinstance(exc, exceptions.ValidationError):
        return _answer(*_invalid(exc), request._request)
    error = exc if isinstance(exc, CloudError) else _translated(exc, request)
    if error is None:
        return None
    return _answer(error, _error_location(error), request._request)


def not_found(request: HttpRequest, exception: Exception) -> JsonResponse:
    """Return the response for a URL without a route (Django's hook)."""
    return problem_response(RouteNotFound(path=request.path[:200]), request)


def bad_request(request: HttpRequest, exception: Exception) -> JsonResponse:
    """Return the response for requests that Django itself rejects, such as an unknown Host (Django's hook)."""
    return problem_response(RequestMalformed(), request)


def server_error(request: HttpRequest) -> JsonResponse:
    """Return the response for a bug (Django's hook); Django has logged the traceback."""
    return problem_response(CloudError(), request)


def _translated(exc: Exception, request: Request) -> CloudError | None:
    match exc:
        case exceptions.NotAuthenticated() | exceptions.AuthenticationFailed():
            return Unauthenticated()
        case exceptions.MethodNotAllowed():
            allowed = ", ".join(request.parser_context["view"].allowed_methods)
            return MethodNotAllowed(method=request.method, allowed=allowed)
        case exceptions.UnsupportedMediaType():
            return MediaTypeNotSupported(media_type=request.content_type[:80])
        case exceptions.ParseError():
            return BodyMalformed(reason=Message("it cannot be read."))
        case Http404():
            return RouteNotFound(path=request.path[:200])
        case OperationalError() | InterfaceError():
            log.error("request %s: database unavailable: %s", request_id_of(request._request), exc)
            return Unavailable()
        case InternalError() if getattr(exc.__cause__, "sqlstate", None) == IDLE_TRANSACTION:
            log.error("request %s: idle transaction timeout: %s", request_id_of(request._request), exc)
            return Unavailable()
    return None


def _error_location(error: CloudError) -> list[dict[str, str]]:
    """Return the part of the request that caused the error: a field of the body or, after a question mark, a query
    parameter.
    """
    if error.field is None:
        return []
    is_parameter = error.field.startswith("?")
    location = {"parameter": error.field[1:]} if is_parameter else {"pointer": f"/{error.field}"}
    return [location | {"code": error.code, "detail": str(describe(type(error), error.facts)["detail"])}]


def _invalid(exc: exceptions.ValidationError) -> tuple[CloudError, list[dict[str, str]]]:
    all_errors = _flat(exc.detail, "")
    errors = list(islice(all_errors, ERRORS_MAX))
    first, others = errors[0], len(errors) - 1 + sum(1 for _ in all_errors)
    more = f" (+{others})" if others else ""
    return InvalidRequest(
        reason=Message("{place}: {problem}{more}", place=first["pointer"] or "/", problem=first["detail"], more=more)
    ), errors


def _flat(detail: Any, pointer: str) -> Iterator[dict[str, str]]:
    if isinstance(detail, Mapping):
        for name, inner in detail.items():
            at = pointer if name == "non_field_errors" else f"{pointer}/{escaped(str(name))}"
            yield from _flat(inner, at)
    elif isinstance(detail, list):
        for inner in detail:
            yield from _flat(inner, pointer)
    else:
        yield {"pointer": pointer, "code": FIELD_CODES.get(detail.code, detail.code), "detail": str(detail)}


def _problem(error: CloudError, errors: list[dict[str, str]], request: HttpRequest) -> dict[str, Any]:
    status = status_of(type(error))
    if isinstance(error, NotFound) and errors:
        # The body names a missing resource, not the path: the route exists and the body is invalid.
        status = STATUS[Unprocessable]
    if status >= STATUS[CloudError]:
        log.warning("request %s: %s %s %s", request_id_of(request), error.code, error, error.facts)
    described = describe(type(error), error.facts)
    return {
        "type": f"{TYPE}{error.code}",
        **described,
        **error.members,
        "status": status,
        "request_id": request_id_of(request),
        "errors": errors,
    }


def _headers(error: CloudError, problem: Mapping[str, Any]) -> dict[str, str]:
    headers = {}
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, MethodNotAllowed):
        headers["Allow"] = str(error.facts["allowed"])
    if problem["retryable"]:
        headers["Retry-After"] = str(error.facts.get("retry_after_s", RETRY_AFTER_S))
    return headers


def _answer(error: CloudError, errors: list[dict[str, str]], request: HttpRequest) -> Response:
    problem = _problem(error, errors, request)
    return Response(problem, status=problem["status"], headers=_headers(error, problem), content_type=MEDIA_TYPE)


def problem_response(error: CloudError, request: HttpRequest) -> JsonResponse:
    """Return a problem as response where no view answers."""
    problem = _problem(error, [], request)
    return JsonResponse(problem, status=problem["status"], headers=_headers(error, problem), content_type=MEDIA_TYPE)
