"""Shared parts of the OpenAPI document: error responses and headers."""

from collections.abc import Mapping
from typing import Any

from controlplane.api.problems import MEDIA_TYPE, STATUS
from controlplane.kernel.idempotency import REPLAYED
from controlplane.kernel.views import Route

NUMBER = {"type": "integer", "minimum": 0}
TEXT = {"type": "string"}
HEADERS: Mapping[str, Any] = {
    "X-Request-Id": {"description": "The request in records and logs.", "schema": TEXT, "required": True},
    "RateLimit-Limit": {"description": "How many requests of this kind there may be in a minute.", "schema": NUMBER},
    "RateLimit-Remaining": {"description": "How many of them are left.", "schema": NUMBER},
    "RateLimit-Reset": {"description": "In how many seconds there will be more.", "schema": NUMBER},
    "Retry-After": {"description": "Seconds after which another try may work.", "schema": NUMBER},
    "WWW-Authenticate": {"description": "Bearer.", "schema": TEXT, "required": True},
    "Location": {"description": "Where it is.", "schema": TEXT},
    "ETag": {"description": "The version, for If-Match.", "schema": TEXT},
    "Link": {"description": "The next page, `rel=next`, if there is one.", "schema": TEXT},
    REPLAYED: {
        "description": "`true`: the answer to the first request with this key.",
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
    400: "It cannot be meant: `errors` names the part of the request.",
    401: "No good credential.",
    403: "Not with this credential.",
    404: "Not there, or not for this credential.",
    409: "Not now, in this state; or no room, in the quota or on the nodes.",
    410: "No longer kept.",
    411: "Without Content-Length.",
    412: "Made for another version than the present one.",
    413: "The body is too large.",
    415: "The body is of another media type.",
    422: "Well-formed, yet it cannot be done.",
    423: "Locked by somebody else.",
    428: "If-Match is needed.",
    429: "Too many requests.",
    503: "A part of the cloud does not answer; try again.",
    507: "No room left on a disk of the cloud.",
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
