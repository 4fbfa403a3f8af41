"""Routes of evidence exports: create one, read its state, download the file."""

from datetime import datetime

from django.http import FileResponse
from rest_framework.request import Request
from rest_framework.response import Response

from andromede_core.documents.messages import Message, message_of
from controlplane.api.base_views import ActorView, OrganizationView
from controlplane.api.v1.evidence_exports.schemas import ExportIn, ExportOut
from controlplane.audit import exports
from controlplane.audit.errors import ExportWindowInvalid
from controlplane.audit.models import EvidenceExport
from controlplane.identity.selectors import organization_get
from controlplane.kernel import concurrency
from controlplane.kernel.listing import invalid, parse_timestamp
from controlplane.kernel.query_parameters import MOMENT, Parameter
from controlplane.kernel.views import Body, route

TAR = "application/x-tar"
RETRY_AFTER_S = 5
EXPORT_LASTS_S = 600
WINDOW = {
    "organization": Parameter("The organization by id or name.", is_required=True),
    "from": Parameter("Beginning of the period (RFC 3339).", MOMENT, is_required=True),
    "to": Parameter("End of the period (RFC 3339), exclusive; must be in the past.", MOMENT, is_required=True),
}


def _accepted(export: EvidenceExport) -> Response:
    headers = {"Location": f"/v1/evidence-exports/{export.pk}", "Retry-After": str(RETRY_AFTER_S)}
    return Response(ExportOut(export).data, status=202, headers=headers)


class ExportList(OrganizationView):
    @route("evidence_export_create", ExportOut, body=ExportIn, status=202)
    def post(self, request: Request, body: Body) -> Response:
        return _accepted(exports.export_request(self.actor, self.organization, body["from"], body["to"]))


class ExportDetail(ActorView):
    @route("evidence_export_get", ExportOut)
    def get(self, request: Request) -> Response:
        return Response(ExportOut(self.requested()).data)

    def requested(self) -> EvidenceExport:
        return exports.export_get(self.actor, self.kwargs["export"])


class ExportFile(ExportDetail):
    """Download the export, a tar file; how-to/verify-an-export.md explains its verification."""

    @route("evidence_export_file", media_type=TAR, is_sensitive=True, error_statuses=(409,))
    def get(self, request: Request) -> FileResponse:
        export = self.requested()
        turn = concurrency.acquire_slot("evidence-export", self.actor.owner_id, expires_after_s=EXPORT_LASTS_S)
        try:
            file = exports.export_file(self.actor, export)
        except BaseException:
            turn.release()
            raise
        answer = FileResponse(file, as_attachment=True, filename=exports.window_of(export).file_name, content_type=TAR)
        turn.release_after_response(answer)
        return answer


class Export(ActorView):
    """Get the export of exactly this period: redirects to the file if it exists (303); otherwise creates it, and the
    response has its address (202).
    """

    @route(
        "evidence_export",
        ExportOut,
        query=WINDOW,
        status=202,
        empty_statuses=(303,),
        is_sensitive=True,
        error_statuses=(404, 409),
    )
    def get(self, request: Request) -> Response:
        organization = organization_get(self.actor, _needed(request, "organization"))
        start, end = (_moment(request, name) for name in ("from", "to"))
        ready = exports.find_ready_export(self.actor, organization, start, end)
        if ready is not None:
            return Response(status=303, headers={"Location": f"/v1/evidence-exports/{ready.pk}/file"})
        try:
            return _accepted(exports.export_request(self.actor, organization, start, end))
        except ExportWindowInvalid as exc:
            exc.field = f"?{exc.field}"
            raise


def _needed(request: Request, name: str) -> str:
    text = request.query_params.get(name)
    if text is None:
        raise invalid(name, Message("it is needed."))
    return text


def _moment(request: Request, name: str) -> datetime:
    try:
        return parse_timestamp(_needed(request, name))
    except ValueError as exc:
        raise invalid(name, message_of(exc)) from exc
