"""Shared parts of the OpenAPI document: error responses and headers."""

from collections.abc import Mapping
from typing import Any

from controlplane.api.problems import MEDIA_TYPE, STATUS
from controlplane.kernel.idempotency import REPLAYED
from controlplane.kernel.views import Route

NUMBER = {"type": "integer", "minimum": 0}
TEXT = {"type": "string"}
HEADERS: Mapping[str, Any] = {
    "X-Request-Id": {"description": "The id of the request in records and logs.", "schema": TEXT, "required": True},
    "RateLimit-Limit": {"description": "Maximum number of requests of this kind per minute.", "schema": NUMBER},
    "RateLimit-Remaining": {"description": "Requests left.", "schema": NUMBER},
    "RateLimit-Reset": {"description": "Seconds until there are more.", "schema": NUMBER},
    "Retry-After": {"description": "Seconds after which a retry may succeed.", "schema": NUMBER},
    "WWW-Authenticate": {"description": "Bearer.", "schema": TEXT, "required": True},
    "Location": {"description": "The address of the resource.", "schema": TEXT},
    "ETag": {"description": "The version, for If-Match.", "schema": TEXT},
    "Link": {"description": "The next page, `rel=next`, if there is one.", "schema": TEXT},
    REPLAYED: {
        "description": "`true`: the response to the first request with this key.",
        "schema": {"type": "string", "const": "true"},
    },
}
ALWAYS = ("X-Request-Id", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")
OF_PROBLEMS = {
    401: ("WWW-Authenticate",),
    409: ("Retry-After",),
    429: ("Retry-After",),
    503: ("Retry-After",),
    507: ("Retry-After",),
}
# Description of each status of a problem.
WORDS = {
    400: "The request is invalid: `errors` names the part.",
    401: "No valid credential.",
    403: "The credential lacks the permission.",
    404: "No such resource, or not visible with this credential.",
    409: "Not possible in the present state; or the quota or the capacity of the nodes is exhausted.",
    410: "No longer kept.",
    411: "Content-Length is missing.",
    412: "If-Match names another version than the present one.",
    413: "The body is too large.",
    415: "The media type of the body is not supported.",
    422: "The request is well-formed, but cannot be carried out.",
    423: "Another client holds the lock.",
    428: "If-Match is required.",
    429: "Too many requests.",
    503: "A component of the platform does not answer; retry.",
    507: "A disk of the platform is full.",
}


def _reference(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/headers/{name}"}


def reference(status: int) -> dict[str, str]:
    return {"$ref": f"#/components/responses/Problem{status}"}


def headers(route: Route, status: int, method: str, *, has_version: bool) -> dict[str, Any]:
    """Return the headers of a route's response with this status."""
    names = [*ALWAYS, *OF_PROBLEMS.get(status, ())]
    if status in (201, 202, 303):
        names.append("Location")
    if status < 300 and (has_version or route.is_versioned):
        names.append("ETag")
    if route.listing is not None and status < 300:
        names.append("Link")
    if method == "POST" and status < 300:
        names.append(REPLAYED)
    return {name: _reference(name) for name in names}


PROBLEMS: Mapping[str, Any] = {
    f"Problem{status}": {
        "description": words,
        "headers": {name: _reference(name) for name in (*ALWAYS, *OF_PROBLEMS.get(status, ()))},
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for status, words in WORDS.items()
    if status in STATUS.values()
}
