"""Request audit: every write leaves a request record with actor, address and outcome; so do reads of sensitive data,
and rejected but known credentials.

Anonymous requests leave none: they would fill the table.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast
from uuid import UUID

from django.db import Error
from django.http import HttpRequest, HttpResponse
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request

from controlplane.api.authentication import secret_in
from controlplane.api.middleware import request_id_of
from controlplane.audit import request_records
from controlplane.audit.models import RequestRecord
from controlplane.audit.request_records import End, Origin, RequestActor
from controlplane.identity.actor import Actor
from controlplane.identity.credentials import token_of
from controlplane.identity.errors import OrganizationNotFound, ProjectNotFound
from controlplane.kernel.client_address import client_address
from controlplane.kernel.errors import CloudError
from controlplane.kernel.names import as_uuid
from controlplane.kernel.request_transaction import DRY_RUN, is_preview
from controlplane.kernel.views import Route

log = logging.getLogger(__name__)

# A read of another tenant's project or organization is recorded; a read of a deleted one is not.
PRYING = (ProjectNotFound.code, OrganizationNotFound.code)


class RequestAuditMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request_audit = RequestAudit(request)
        request.request_audit = request_audit  # type: ignore[attr-defined]
        with request_records.touching() as ids:
            response = self.get_response(request)
        try:
            request_audit.close(response, ids)
        except Error:
            # The client still gets the response; an open record will be closed as unknown.
            log.exception("request %s: audit record not completed", request_id_of(request))
        return response


class RequestAudit:
    """Audit of one request. kernel/views.py calls `open` before a route's method runs."""

    def __init__(self, request: HttpRequest) -> None:
        self.request = request
        self.record: RequestRecord | None = None
        self.account: RequestActor | None = None

    def set_account(self, who: RequestActor) -> None:
        """Set the account that an attempt to sign in is about: no user is authenticated yet, but the attempt is
        recorded.
        """
        self.account = who

    def open(self, view: Any, request: Request, route: Route) -> None:
        actor = cast("Actor | None", request.user)
        is_read = _is_read(self.request)
        if actor is None or (is_read and not route.is_sensitive):
            return
        who = requester_of(view, actor)
        self.record = request_records.open_record(self._origin(route), who, is_waited_for=is_read)

    def close(self, response: HttpResponse, touched: set[UUID]) -> None:
        end = end_of(response, touched, self.request)
        if self.record is not None:
            request_records.complete_record(self.record, end)
        elif (route := route_of(self.request)) is not None:
            self._record(response, route, end)

    def _record(self, response: HttpResponse, route: Route, end: End) -> None:
        """Record a request that ended before any work began."""
        if self.account is not None:
            request_records.record_refused(self._origin(route), self.account, end, is_once_a_minute=end.status >= 400)
            return
        is_read = _is_read(self.request)
        is_refused = end.status >= 400 if not is_read else is_worth_it(end)
        who = refused_requester(self.request, response, end) if is_refused else None
        if who is not None:
            request_records.record_refused(
                self._origin(route), who, end, is_once_a_minute=is_read or end.status in (401, 429)
            )

    def _origin(self, route: Route) -> Origin:
        return Origin(
            verb=route.operation_id,
            method=str(self.request.method),
            path=self.request.path,
            address=client_address(self.request),
            request_id=request_id_of(self.request),
            is_dry_run=_is_dry_run(self.request),
        )


def _is_read(request: HttpRequest) -> bool:
    return request.method in SAFE_METHODS or is_preview(request)


def is_worth_it(end: End) -> bool:
    """Return True for rejected reads that are recorded."""
    return end.status in (401, 403) or end.error_code in PRYING


def route_of(request: HttpRequest) -> Route | None:
    match = request.resolver_match
    view = getattr(match.func, "view_class", None) if match is not None else None
    method = "get" if request.method == "HEAD" else str(request.method).lower()
    return getattr(getattr(view, method, None), "route", None)


def requester_of(view: Any, actor: Actor) -> RequestActor:
    """Return project and organization of the path, or else of the credential."""
    project, organization = getattr(view, "project", None), getattr(view, "organization", None)
    if project is not None:
        return RequestActor(actor.user_id, actor.credential_id, project.pk, project.organization_id)
    if organization is not None:
        return RequestActor(actor.user_id, actor.credential_id, None, organization.pk)
    return RequestActor(actor.user_id, actor.credential_id, actor.project_id, actor.organization_id)


def refused_requester(request: HttpRequest, response: HttpResponse, end: End) -> RequestActor | None:
    """Return the actor of a rejected credential; None: the credential is unknown."""
    if end.status == 401:
        return _whose_token(request)
    context = getattr(response, "renderer_context", None) or {}
    refused_request = context.get("request")
    actor = cast("Actor | None", refused_request.user) if refused_request is not None else None
    return requester_of(context.get("view"), actor) if actor is not None else None


def _whose_token(request: HttpRequest) -> RequestActor | None:
    """Return the owner of a token that has expired, was revoked, or whose user is suspended."""
    secret = secret_in(request.headers.get("Authorization", ""))
    token = token_of(secret) if secret else None
    if token is None:
        return None
    project = token.project
    return RequestActor(
        token.user_id, token.pk, token.project_id, project.organization_id if project is not None else None
    )


def end_of(response: HttpResponse, touched: set[UUID], request: HttpRequest) -> End:
    data = getattr(response, "data", None)
    document: Mapping[str, Any] = data if isinstance(data, Mapping) else {}
    if response.status_code >= 400:
        code = str(document.get("code", CloudError.code if response.status_code >= 500 else ""))
        return End(response.status_code, code, resource_ids=frozenset(_named(request)))
    if _is_dry_run(request):  # the created resource was rolled back
        return End(response.status_code, resource_ids=frozenset(_named(request)))
    operation = document.get("operation")
    begun = as_uuid(str(operation.get("id"))) if isinstance(operation, Mapping) else None
    created_id = as_uuid(str(document.get("id")))
    ids = {*touched, *_named(request), *([created_id] if created_id is not None else [])}
    return End(response.status_code, "", begun, frozenset(ids))


def _is_dry_run(request: HttpRequest) -> bool:
    return request.GET.get(DRY_RUN) == "true"


def _named(request: HttpRequest) -> Iterator[UUID]:
    """Return the ids in the path, except project and organization, which have columns of their own."""
    match = request.resolver_match
    for part, text in (match.kwargs if match is not None else {}).items():
        resource_id = as_uuid(text) if part not in ("project", "organization") else None
        if resource_id is not None:
            yield resource_id
