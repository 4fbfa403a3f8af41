"""Routes of announcers, for operators."""

from collections.abc import Sequence
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.announcers import selectors, services
from controlplane.announcers.models import Announcer
from controlplane.api.base_views import ActorView
from controlplane.api.v1.announcers.schemas import AnnouncerIn, AnnouncerIncidentOut, AnnouncerOut
from controlplane.catalog.selectors import zone_get
from controlplane.kernel.listing import Listing, created_after, exactly
from controlplane.kernel.views import Body, created, resolve_reference, route

ANNOUNCERS = Listing(
    {
        "name": exactly("name", "The announcer of this name."),
        "zone": exactly("zone_id", "The announcers of this zone."),
        "created_after": created_after(),
    },
    sorts=("name", "-name", "created_at", "-created_at"),
)
INCIDENTS = Listing(
    {"kind": exactly("kind", "The incidents of this kind."), "created_after": created_after()},
    sorts=("-created_at", "created_at"),
)


def _context(rows: Sequence[Announcer]) -> dict[str, Any]:
    return {"documents": selectors.newest_documents(rows)}


class AnnouncerView(ActorView):
    def announcer(self) -> Announcer:
        return selectors.announcer_get(self.actor, self.kwargs["announcer"])


class AnnouncerList(AnnouncerView):
    @route("announcer_list", AnnouncerOut, listing=ANNOUNCERS)
    def get(self, request: Request) -> Response:
        page = ANNOUNCERS.page(request, selectors.announcers(self.actor))
        return page.answer(AnnouncerOut, context=_context(page.rows))

    @route("announcer_create", AnnouncerOut, body=AnnouncerIn, status=201)
    def post(self, request: Request, body: Body) -> Response:
        zone = resolve_reference(zone_get, body["zone"], at="zone")
        announcer = services.announcer_create(self.actor, name=body["name"], zone=zone, address=body["address"])
        return created(AnnouncerOut(announcer, context=_context([announcer])).data, request=request)


class AnnouncerDetail(AnnouncerView):
    @route("announcer_get", AnnouncerOut)
    def get(self, request: Request) -> Response:
        announcer = self.announcer()
        return Response(AnnouncerOut(announcer, context=_context([announcer])).data)

    @route("announcer_delete", status=204)
    def delete(self, request: Request) -> Response:
        services.announcer_delete(self.actor, self.announcer())
        return Response(status=204)


class AnnouncerIncidents(AnnouncerView):
    """List the incidents of the announcer."""

    @route("announcer_incident_list", AnnouncerIncidentOut, listing=INCIDENTS)
    def get(self, request: Request) -> Response:
        return INCIDENTS.page(request, selectors.incidents(self.announcer())).answer(AnnouncerIncidentOut)
