"""Routes of the audit log: requests and changes of a project, an organization or the platform, and their export."""

from collections.abc import Iterator
from itertools import chain
from typing import Any

from django.db.models import Q, QuerySet
from django.http import StreamingHttpResponse
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from andromede_core.documents.messages import Message
from controlplane.api.base_views import ActorView, OrganizationView, ProjectView
from controlplane.api.v1.audit.schemas import DeedOut, RequestRecordOut
from controlplane.audit import request_log
from controlplane.audit.models import AuditEntry, Outcome, RequestRecord
from controlplane.identity.actor import Actor
from controlplane.kernel import concurrency
from controlplane.kernel.listing import (
    Listing,
    among,
    at_moment,
    contains_id,
    created_after,
    exactly,
    has_id,
    invalid,
)
from controlplane.kernel.query_parameters import Parameter, one_of
from controlplane.kernel.views import route

JSON_LINES, CSV = "application/jsonl", "text/csv"
FORMATS = ("jsonl", "csv")
EXPORT_LASTS_S = 600
FILTERS = {
    "actor": has_id("user_id", "Requests of this user."),
    "credential": has_id("credential_id", "Requests with this credential."),
    "verb": exactly("verb", "The operationId of the route, such as instance_create."),
    "resource": contains_id("resource_ids", "Requests about this resource."),
    "operation": has_id("operation_id", "The request that began this operation."),
    "request_id": exactly("request_id", "The request with this X-Request-Id."),
    "outcome": among("outcome", Outcome.values),
    "completed_after": at_moment(lambda at: Q(completed_at__gt=at), "Completed after this time (RFC 3339)."),
    "completed_before": at_moment(lambda at: Q(completed_at__lt=at), "Completed before this time (RFC 3339)."),
}
REQUESTS = Listing(FILTERS, sorts=("-completed_at", "completed_at"))
DEEDS = Listing(
    {
        "actor": has_id("user_id", "Actions of this user."),
        "verb": exactly("verb", "The action, such as instance.create."),
        "resource": has_id("resource_id", "Actions on this resource."),
        "created_after": created_after(),
    },
    sorts=("-created_at", "created_at"),
)
EXPORT: dict[str, Any] = {
    "media_type": JSON_LINES,
    "media_types": (CSV,),
    "is_sensitive": True,
    "error_statuses": (422,),
    "query": {
        **{name: each.parameter for name, each in FILTERS.items()},
        "format": Parameter(
            "jsonl: JSON Lines, with everything needed to verify them against the evidence log; csv: a table.",
            one_of(FORMATS),
        ),
    },
}


class RequestLogView(APIView):
    """Base of the views of all three levels.

    An export holds a web thread until it has been read, so each caller may read only one at a time.
    """

    actor: Actor

    def listed(self, request: Request, rows: QuerySet[RequestRecord]) -> Response:
        page = REQUESTS.page(request, rows)
        return page.answer(RequestRecordOut, context=request_log.page_details(page.rows))

    def exported(self, request: Request, rows: QuerySet[RequestRecord]) -> StreamingHttpResponse:
        file_format = request.query_params.get("format", FORMATS[0])
        if file_format not in FORMATS:
            raise invalid("format", Message("it must be one of {known}.", known=", ".join(FORMATS)))
        rows = rows.filter(REQUESTS.condition(request.query_params))
        is_table = file_format == "csv"
        parts: Iterator[bytes] = request_log.exported(
            rows, request_log.as_csv if is_table else request_log.as_json_lines
        )
        name = f'attachment; filename="audit.{file_format}"'
        turn = concurrency.acquire_slot("audit-export", self.actor.owner_id, expires_after_s=EXPORT_LASTS_S)
        answer = StreamingHttpResponse(
            chain([request_log.csv_header()], parts) if is_table else parts,
            content_type=f"{CSV}; charset=utf-8" if is_table else JSON_LINES,
            headers={"Content-Disposition": name},
        )
        turn.release_after_response(answer)
        return answer


class ProjectRequestLog(RequestLogView, ProjectView):
    """List the requests in the project with actor, address and outcome, in the order of their completion."""

    @route("audit_list", RequestRecordOut, listing=REQUESTS)
    def get(self, request: Request) -> Response:
        return self.listed(request, request_log.of_project(self.project))


class ProjectExport(RequestLogView, ProjectView):
    """Export the request records of the project as a file, from the first on, with the positions in the evidence log
    that cover them.
    """

    @route("audit_export", **EXPORT)
    def get(self, request: Request) -> StreamingHttpResponse:
        return self.exported(request, request_log.of_project(self.project))


class ProjectDeeds(ProjectView):
    """List the changes in the project, including those of the platform itself."""

    @route("audit_deed_list", DeedOut, listing=DEEDS)
    def get(self, request: Request) -> Response:
        return DEEDS.page(request, request_log.entries_of_project(self.project)).answer(DeedOut)


class OrganizationRequestLog(RequestLogView, OrganizationView):
    """List the requests in all projects of the organization; for its owners, admins and sovereignty officers."""

    @route("organization_audit_list", RequestRecordOut, listing=REQUESTS)
    def get(self, request: Request) -> Response:
        return self.listed(request, request_log.of_organization(self.actor, self.organization))


class OrganizationExport(RequestLogView, OrganizationView):
    """Export the request records of the organization as a file."""

    @route("organization_audit_export", **EXPORT)
    def get(self, request: Request) -> StreamingHttpResponse:
        return self.exported(request, request_log.of_organization(self.actor, self.organization))


class OrganizationDeeds(OrganizationView):
    """List the changes in all projects of the organization, and of the organization itself: its members, invitations,
    tokens, quotas and policy.
    """

    @route("organization_audit_deed_list", DeedOut, listing=DEEDS)
    def get(self, request: Request) -> Response:
        rows: QuerySet[AuditEntry] = request_log.entries_of_organization(self.actor, self.organization)
        return DEEDS.page(request, rows).answer(DeedOut)


class PlatformRequestLog(RequestLogView, ActorView):
    """List the requests of the whole platform; for operators and auditors."""

    @route("platform_audit_list", RequestRecordOut, listing=REQUESTS)
    def get(self, request: Request) -> Response:
        return self.listed(request, request_log.of_platform(self.actor))


class PlatformExport(RequestLogView, ActorView):
    """Export the request records of the platform as a file."""

    @route("platform_audit_export", **EXPORT)
    def get(self, request: Request) -> StreamingHttpResponse:
        return self.exported(request, request_log.of_platform(self.actor))


class PlatformDeeds(ActorView):
    """List the changes of the whole platform."""

    @route("platform_audit_deed_list", DeedOut, listing=DEEDS)
    def get(self, request: Request) -> Response:
        return DEEDS.page(request, request_log.entries_of_platform(self.actor)).answer(DeedOut)
