"""The storage that nodes share, and what is in it, for operators."""

from collections.abc import Sequence
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.compute import selectors
from controlplane.compute.node_api import GUESTS, GuestOut
from controlplane.identity.api import ActorView
from controlplane.kernel.fields import NamedOut, Out
from controlplane.kernel.listing import Listing, created_after, exactly, in_state
from controlplane.kernel.rest import route
from controlplane.nodes.models import Pool
from controlplane.nodes.pools import WHYS, Missing, standings
from controlplane.nodes.selectors import pool_get, pools
from controlplane.storage.models import VOLUME

POOLS = Listing(
    {
        "name": exactly("name", "The pools of this name."),
        "zone": exactly("zone_id", "The pools of this zone."),
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


class MissingNodeOut(NamedOut):
    """A node that should have the pool and has it not. `silent`: it had it when it was last heard. `mismatch`: it has
    another one under that name. `unmounted`: guests on it have disks there."""

    why = serializers.ChoiceField(WHYS)

    def to_representation(self, instance: Missing) -> dict[str, Any]:
        return {"id": str(instance.node.pk), "name": instance.node.name, "why": instance.why}


class PoolOut(Out):
    """Storage that nodes of a zone share. `nodes`: those that are heard and have it now; `missing`: those that should,
    and have not. `instance_count`: the instances whose root disk is in it."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    zone = serializers.CharField(source="zone_id")
    uuid = serializers.UUIDField()
    path = serializers.CharField()
    capacity_gib = serializers.IntegerField()
    used_gib = serializers.IntegerField()
    instance_count = serializers.SerializerMethodField()
    volume_count = serializers.SerializerMethodField()
    nodes = serializers.SerializerMethodField()
    missing = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()

    def get_instance_count(self, pool: Pool) -> int:
        return int(self.context["disks"][pool.pk].instances)

    def get_volume_count(self, pool: Pool) -> int:
        return int(self.context["disks"][pool.pk].volumes)

    @extend_schema_field(NamedOut(many=True))
    def get_nodes(self, pool: Pool) -> Any:
        return NamedOut(self.context["standings"][pool.pk].nodes, many=True).data

    @extend_schema_field(MissingNodeOut(many=True))
    def get_missing(self, pool: Pool) -> Any:
        return MissingNodeOut(self.context["standings"][pool.pk].missing, many=True).data


class PooledVolumeOut(Out):
    """A volume as its pool has it: whose it is, how large, and the node that has it open, or had it last."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    project = NamedOut()
    organization = NamedOut(source="project.organization")
    state = serializers.ChoiceField(list(VOLUME.moves))
    size_gib = serializers.IntegerField()
    node = NamedOut(allow_null=True)
    created_at = serializers.DateTimeField()


class PoolView(ActorView):
    def pool(self) -> Pool:
        return pool_get(self.actor, self.kwargs["pool"])

    def told(self, rows: Sequence[Pool]) -> dict[str, Any]:
        """What pools say beside their rows."""
        disks = selectors.disks_in(rows)
        return {"disks": disks, "standings": standings(rows, {pool: each.nodes for pool, each in disks.items()})}


class PoolList(PoolView):
    @route("pool_list", PoolOut, listing=POOLS)
    def get(self, request: Request) -> Response:
        page = POOLS.page(request, pools(self.actor))
        return page.answer(PoolOut, context=self.told(page.rows))


class PoolDetail(PoolView):
    @route("pool_get", PoolOut)
    def get(self, request: Request) -> Response:
        pool = self.pool()
        return Response(PoolOut(pool, context=self.told([pool])).data)


class PoolInstances(PoolView):
    """Those whose root disk is in it."""

    @route("pool_instance_list", GuestOut, listing=GUESTS)
    def get(self, request: Request) -> Response:
        return GUESTS.page(request, selectors.instances_in(self.pool())).answer(GuestOut)


class PoolVolumes(PoolView):
    @route("pool_volume_list", PooledVolumeOut, listing=VOLUMES)
    def get(self, request: Request) -> Response:
        return VOLUMES.page(request, selectors.volumes_in(self.pool())).answer(PooledVolumeOut)
