"""Routes of storage pools, and of the volumes in them, for operators."""

from collections.abc import Sequence
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.api.base_views import ActorView
from controlplane.api.v1.nodes.schemas import GuestOut
from controlplane.api.v1.nodes.views import GUESTS
from controlplane.api.v1.pools.schemas import PooledVolumeOut, PoolOut
from controlplane.compute import selectors
from controlplane.kernel.listing import Listing, among, created_after, exactly, in_state
from controlplane.kernel.views import route
from controlplane.nodes.models import ENGINES, Pool
from controlplane.nodes.pools import pool_coverage
from controlplane.nodes.selectors import pool_get, pools
from controlplane.storage.models import VOLUME

POOLS = Listing(
    {
        "name": exactly("name", "The pools of this name."),
        "zone": exactly("zone_id", "The pools of this zone."),
        "engine": among("engine", ENGINES),
        "created_after": created_after(),
    },
    sorts=("name", "-name", "created_at", "-created_at"),
)
VOLUMES = Listing(
    {
        "state": in_state(VOLUME),
        "project": exactly("project__name", "The volumes of projects of this name."),
        "created_after": created_after(),
    }
)


class PoolView(ActorView):
    def pool(self) -> Pool:
        return pool_get(self.actor, self.kwargs["pool"])

    def serializer_context(self, rows: Sequence[Pool]) -> dict[str, Any]:
        """Return the context of the pools' representations."""
        disks = selectors.pool_usage(rows)
        return {"disks": disks, "standings": pool_coverage(rows, {pool: each.nodes for pool, each in disks.items()})}


class PoolList(PoolView):
    @route("pool_list", PoolOut, listing=POOLS)
    def get(self, request: Request) -> Response:
        page = POOLS.page(request, pools(self.actor))
        return page.answer(PoolOut, context=self.serializer_context(page.rows))


class PoolDetail(PoolView):
    @route("pool_get", PoolOut)
    def get(self, request: Request) -> Response:
        pool = self.pool()
        return Response(PoolOut(pool, context=self.serializer_context([pool])).data)


class PoolInstances(PoolView):
    """List the instances whose root disk is in the pool."""

    @route("pool_instance_list", GuestOut, listing=GUESTS)
    def get(self, request: Request) -> Response:
        return GUESTS.page(request, selectors.instances_in(self.pool())).answer(GuestOut)


class PoolVolumes(PoolView):
    @route("pool_volume_list", PooledVolumeOut, listing=VOLUMES)
    def get(self, request: Request) -> Response:
        return VOLUMES.page(request, selectors.volumes_in(self.pool())).answer(PooledVolumeOut)
