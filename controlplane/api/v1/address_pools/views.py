"""Routes of pools of public addresses: for operators, and the pools that a project may use."""

from collections.abc import Sequence
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.api.base_views import ActorView, ProjectView
from controlplane.api.v1.address_pools.schemas import (
    AddressPoolIn,
    AddressPoolOut,
    AddressPoolPatch,
    UsableAddressPoolOut,
)
from controlplane.catalog.selectors import zone_get
from controlplane.identity.selectors import organization_get
from controlplane.kernel.fields import merge_labels
from controlplane.kernel.listing import Listing, among, created_after, exactly, labelled
from controlplane.kernel.views import Body, created, resolve_reference, route
from controlplane.network import address_pools as services
from controlplane.network.models import PURPOSES, AddressPool
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


class UsableAddressPoolList(ProjectView):
    @route("address_pool_usable_list", UsableAddressPoolOut, listing=USABLE_POOLS)
    def get(self, request: Request) -> Response:
        page = USABLE_POOLS.page(request, usable_address_pools(self.actor, self.project))
        return page.answer(UsableAddressPoolOut, context=_context(page.rows))
