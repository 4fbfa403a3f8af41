"""Routes of pools of public addresses: for operators, and the pools that a project may use."""

from collections.abc import Sequence
from typing import Any

from django.http import HttpResponse, HttpResponseNotModified
from rest_framework.request import Request
from rest_framework.response import Response

from andromede_core.documents.messages import Message
from controlplane.api.base_views import ActorView, ProjectView
from controlplane.api.v1.address_pools.schemas import (
    AddressPoolIn,
    AddressPoolOut,
    AddressPoolPatch,
    UsableAddressPoolOut,
)
from controlplane.catalog.selectors import zone_get
from controlplane.identity.selectors import organization_get
from controlplane.kernel.etags import etag_of_content, is_held
from controlplane.kernel.fields import merge_labels
from controlplane.kernel.listing import Listing, among, created_after, exactly, invalid, labelled
from controlplane.kernel.query_parameters import Parameter
from controlplane.kernel.views import Body, created, resolve_reference, route
from controlplane.network import address_pools as services
from controlplane.network.models import PURPOSES, AddressPool
from controlplane.network.reverse_zones import HOST_NAME, NAME_SERVERS_MAX, ReverseZone, reverse_zones, zone_file
from controlplane.network.selectors import address_pool_get, address_pools, usable_address_pools

FILTERS = {
    "name": exactly("name", "The pool of this name."),
    "zone": exactly("zone_id", "The pools of this zone."),
    "family": among("family", ("ipv4", "ipv6")),
    "purpose": among("purpose", PURPOSES),
    "created_after": created_after(),
    "labels": labelled(),
}
POOLS = Listing(FILTERS)
USABLE_POOLS = Listing({name: each for name, each in FILTERS.items() if name != "labels"})


ZONE_FILE = "text/dns"  # RFC 4027
ZONE_PARAMETERS = {
    "origin": Parameter("The zone, one of the pool's `reverse_zones`; may be left out if the pool has one only."),
    "name_servers": Parameter(
        "Names of the zone's name servers, separated by commas, the primary first.", is_required=True
    ),
}


def _context(pools: Sequence[AddressPool]) -> dict[str, Any]:
    return {"uses": services.pool_uses(pools)}


class AddressPoolList(ActorView):
    @route("address_pool_list", AddressPoolOut, listing=POOLS)
    def get(self, request: Request) -> Response:
        page = POOLS.page(request, address_pools())
        return page.answer(AddressPoolOut, context=_context(page.rows))

    @route("address_pool_create", AddressPoolOut, body=AddressPoolIn, status=201)
    def post(self, request: Request, body: Body) -> Response:
        owner = body["organization"]
        new = services.NewPool(
            **body
            | {
                "zone": resolve_reference(zone_get, body["zone"], at="zone"),
                "organization": owner
                and resolve_reference(lambda ref: organization_get(self.actor, ref), owner, at="organization"),
            }
        )
        pool = services.address_pool_create(self.actor, new)
        return created(AddressPoolOut(pool, context=_context([pool])).data, request=request)


class AddressPoolDetail(ActorView):
    def pool(self) -> AddressPool:
        return address_pool_get(self.actor, self.kwargs["address_pool"])

    def versioned(self) -> AddressPool:
        return self.pool()

    @route("address_pool_get", AddressPoolOut)
    def get(self, request: Request) -> Response:
        pool = self.pool()
        return Response(AddressPoolOut(pool, context=_context([pool])).data)

    @route("address_pool_update", AddressPoolOut, body=AddressPoolPatch)
    def patch(self, request: Request, body: Body) -> Response:
        pool = self.pool()
        changes = {**body, "labels": merge_labels(pool.labels, body.get("labels", {}))}
        pool = services.address_pool_update(self.actor, pool, changes)
        return Response(AddressPoolOut(pool, context=_context([pool])).data)

    @route("address_pool_delete", status=204)
    def delete(self, request: Request) -> Response:
        services.address_pool_delete(self.actor, self.pool())
        return Response(status=204)


class AddressPoolReverseZone(ActorView):
    """A reverse zone of the pool as a zone file (RFC 1035), for the operator's name servers.

    The serial of its SOA record grows with every change of a name; with the ETag in If-None-Match the answer is 304
    until then. Ranges smaller than /24 have zones of RFC 2317.
    """

    @route(
        "address_pool_reverse_zone_get",
        media_type=ZONE_FILE,
        query=ZONE_PARAMETERS,
        empty_statuses=(304,),
    )
    def get(self, request: Request) -> HttpResponse:
        pool = address_pool_get(self.actor, self.kwargs["address_pool"])
        zone = _reverse_zone(request, pool)
        content = zone_file(pool, zone, _name_servers(request)).encode()
        etag = etag_of_content(content)
        if is_held(request, etag):
            return HttpResponseNotModified(headers={"ETag": etag})
        return HttpResponse(content, content_type=f"{ZONE_FILE}; charset=us-ascii", headers={"ETag": etag})


def _reverse_zone(request: Request, pool: AddressPool) -> ReverseZone:
    """Return the zone that the request names, or the only one. Raises InvalidParameter."""
    zones = {zone.origin: zone for zone in reverse_zones(pool)}
    origin = request.query_params.get("origin", "").lower().removesuffix(".")
    if not origin and len(zones) == 1:
        return next(iter(zones.values()))
    if origin not in zones:
        raise invalid("origin", Message("name one of the zones in `reverse_zones` of the pool."))
    return zones[origin]


def _name_servers(request: Request) -> list[str]:
    """Return the names of the zone's name servers. Raises InvalidParameter."""
    text = request.query_params.get("name_servers", "")
    names = [name.strip().lower().removesuffix(".") for name in text.split(",")]
    if len(names) > NAME_SERVERS_MAX or not all(map(HOST_NAME.fullmatch, names)):
        reason = Message(
            "list up to {limit} host names, such as ns1.example.net,ns2.example.net.", limit=NAME_SERVERS_MAX
        )
        raise invalid("name_servers", reason)
    return names


class UsableAddressPoolList(ProjectView):
    @route("address_pool_usable_list", UsableAddressPoolOut, listing=USABLE_POOLS)
    def get(self, request: Request) -> Response:
        page = USABLE_POOLS.page(request, usable_address_pools(self.actor, self.project))
        return page.answer(UsableAddressPoolOut, context=_context(page.rows))
