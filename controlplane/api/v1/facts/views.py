"""Routes of facts about zones, parties and named sets, and of their sources.

All users read the same facts. A statement needs the signature of an officer's key and an operator's token. The list of
zones is in api/v1/zones.
"""

from collections.abc import Sequence
from typing import Any

from django.db.models import Q
from rest_framework.request import Request
from rest_framework.response import Response

from andromede_core.documents.signed import Signed
from andromede_core.facts.attributes import ABOUT
from andromede_core.facts.catalogue import NAMED_SETS
from controlplane.api.base_views import ActorView
from controlplane.api.v1.facts.schemas import (
    CatalogueOut,
    FactOut,
    FactsIn,
    FactsStatedOut,
    JurisdictionOut,
    NamedSetOut,
    PartyOut,
    RegionOut,
    TransfersOut,
    ZoneOut,
)
from controlplane.catalog import exports, selectors, transparency
from controlplane.catalog.facts import facts_state
from controlplane.catalog.models import Zone
from controlplane.kernel import clock
from controlplane.kernel.listing import Listing, Page, among, at_moment, created_after, exactly
from controlplane.kernel.views import Body, route

BY_ID = ("id", "-id")
REGIONS = Listing({}, sorts=BY_ID)
ZONES = Listing({"region": exactly("region_id", "The zones of this region.")}, sorts=BY_ID)
PARTIES = Listing({"name": exactly("name", "The party of this name.")}, sorts=BY_ID)
SETS = Listing({"kind": among("subject_kind", NAMED_SETS)}, sorts=("name", "-name"))
FACTS = Listing(
    {
        "subject_kind": among("subject_kind", ABOUT),
        "subject_id": exactly("subject_id", "Facts about this zone, party, set and so on."),
        "attribute": exactly("attribute", "Facts about this attribute."),
        "key_id": exactly("key_id", "Facts signed with this key."),
        "created_after": created_after(),
        "at": at_moment(selectors.valid_at, "Facts valid at this time (RFC 3339)."),
        "believed_at": at_moment(
            selectors.facts_in_force, "Facts that counted at this time (RFC 3339); now by default."
        ),
    },
    sorts=("created_at", "-created_at"),
)


class RegionList(ActorView):
    @route("region_list", RegionOut, listing=REGIONS)
    def get(self, request: Request) -> Response:
        return REGIONS.page(request, selectors.regions()).answer(RegionOut)


class ZoneDetail(ActorView):
    @route("zone_get", ZoneOut)
    def get(self, request: Request) -> Response:
        zone = selectors.zone_get(self.kwargs["zone"])
        return Response(ZoneOut(zone, context=of_zones([zone])).data)


class PartyList(ActorView):
    @route("party_list", PartyOut, listing=PARTIES)
    def get(self, request: Request) -> Response:
        page = PARTIES.page(request, selectors.parties())
        return page.answer(PartyOut, context=_known("party", [party.pk for party in page.rows]))


class PartyDetail(ActorView):
    @route("party_get", PartyOut)
    def get(self, request: Request) -> Response:
        party = selectors.party_get(self.kwargs["party"])
        return Response(PartyOut(party, context=_known("party", [party.pk])).data)


class SetList(ActorView):
    @route("set_list", NamedSetOut, listing=SETS)
    def get(self, request: Request) -> Response:
        return SETS.page(request, selectors.named_sets(at=clock.now())).answer(NamedSetOut)


class FactList(ActorView):
    @route("fact_list", FactOut, listing=FACTS)
    def get(self, request: Request) -> Response:
        is_about_now = "believed_at" not in request.query_params
        facts = selectors.facts(self.actor).filter(selectors.facts_in_force() if is_about_now else Q())
        return FACTS.page(request, facts).answer(FactOut)

    @route("fact_state", FactsStatedOut, body=FactsIn)
    def post(self, request: Request, body: Body) -> Response:
        done = facts_state(self.actor, [Signed(each["p"], each["kid"], each["sig"]) for each in body["facts"]])
        return Response(FactsStatedOut(done).data)


class CatalogueExport(ActorView):
    @route("catalogue_get", CatalogueOut)
    def get(self, request: Request) -> Response:
        return Response(exports.catalogue_export(now=clock.now()))


class JurisdictionList(ActorView):
    @route("jurisdiction_list", JurisdictionOut, listing=ZONES)
    def get(self, request: Request) -> Response:
        page = ZONES.page(request, selectors.zones())
        return _derived(page, transparency.jurisdictions(page.rows, now=clock.now())).answer(JurisdictionOut)


class TransferList(ActorView):
    @route("transfer_list", TransfersOut, listing=ZONES)
    def get(self, request: Request) -> Response:
        page = ZONES.page(request, selectors.zones())
        return _derived(page, transparency.transfers(page.rows, now=clock.now())).answer(TransfersOut)


def _derived(page: Page[Any], rows: list[dict[str, object]]) -> Page[Any]:
    """Return the page with the derived document in place of each row."""
    return Page(rows, page.next_token, page.total, page.next_link)


def of_zones(zones: Sequence[Zone]) -> dict[str, Any]:
    """Return the context of ZoneOut."""
    names = dict(selectors.parties().values_list("pk", "name"))
    return {**_known("zone", [zone.pk for zone in zones]), "party_names": names}


def _known(kind: str, ids: Sequence[str]) -> dict[str, Any]:
    now = clock.now()
    return {"facts": selectors.facts_of(kind, ids, at=now), "now": now}
