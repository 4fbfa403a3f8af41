"""Error statuses of each route in the OpenAPI document.

Most follow from the route's declaration, by the rules here; the route declares the others (Route.error_statuses,
Route.problems). A 500 is a bug and is not documented.
"""

from collections.abc import Iterator
from http import HTTPStatus as Http

from rest_framework.views import APIView

from controlplane.identity.authorization_rules import rule_of
from controlplane.identity.authorization_terms import PUBLIC
from controlplane.kernel.views import Route

# Unknown parameters, invalid paths, the rate limit, and a database that does not answer.
EVERYWHERE = (Http.BAD_REQUEST, Http.TOO_MANY_REQUESTS, Http.SERVICE_UNAVAILABLE)
OF_BODIES = (Http.REQUEST_ENTITY_TOO_LARGE, Http.UNSUPPORTED_MEDIA_TYPE)


def declared_errors(route: Route, view: APIView, method: str, path: str) -> list[int]:
    """Return the statuses in order, including those of problems with additional members."""
    return sorted(
        {int(status) for status in (*_of_route(route, view, method, path), *route.error_statuses, *route.problems)}
    )


def _of_route(route: Route, view: APIView, method: str, path: str) -> Iterator[int]:
    yield from EVERYWHERE
    if view.authentication_classes:
        yield Http.UNAUTHORIZED
    if rule_of(route.operation_id).roles != PUBLIC:
        yield Http.FORBIDDEN
    if "{" in path:
        yield Http.NOT_FOUND
    if "{project}" in path:
        yield Http.CONFLICT  # several organizations have a project of this name
    if route.is_write:
        yield from _of_write(route, method)


def _of_write(route: Route, method: str) -> Iterator[int]:
    yield Http.CONFLICT
    if not route.own_transactions:
        yield Http.PRECONDITION_FAILED
    if route.is_versioned:
        yield Http.PRECONDITION_REQUIRED
    if route.body is not None or route.upload or method == "POST":
        yield from OF_BODIES
        yield Http.UNPROCESSABLE_ENTITY
    if route.upload:
        yield Http.LENGTH_REQUIRED
