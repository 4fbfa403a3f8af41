"""Schemas of volume types."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from controlplane.catalog.io_limits import IoLimits
from controlplane.catalog.models import BINDINGS, IMMEDIATE, VolumeType
from controlplane.kernel.fields import Choice, Flag, In, Name, NamedOut, Out, Text, Whole, references
from controlplane.nodes.pools import PoolsOfName

DESCRIPTION_MAX = 200
POOL_MAX = 40
ORGANIZATIONS_MAX = 100
IOPS_MAX = 10_000_000
MB_PER_S_MAX = 1_000_000
PER_GIB_MAX = 10_000


class IoLimitsOut(Out):
    """Limits of a disk, of reads and writes together, each per second; null: no limit. 1 MB is 10^6 bytes."""

    iops = serializers.SerializerMethodField()
    mb_per_s = serializers.SerializerMethodField()

    @extend_schema_field(serializers.IntegerField(allow_null=True))
    def get_iops(self, limits: IoLimits) -> int | None:
        return limits.iops or None

    @extend_schema_field(serializers.IntegerField(allow_null=True))
    def get_mb_per_s(self, limits: IoLimits) -> int | None:
        return limits.mb_per_s or None


class VolumeTypeIn(In):
    """A volume type. `pool`: the pool that has its volumes; without it, the disk of one node.

    `binding`: when a volume gets its place. `immediate`: at its creation. `first_use`: when it is first attached to an
    instance, on the instance's node or in the pool of its zone. A request that names a place, as by `zones`, gets it at
    once.

    `is_multi_attach`: several instances, each on a node of its own, can have such a volume attached at once, with a
    file system that is made for that. Its pool is of a storage cluster, and its binding `immediate`. Pool, binding and
    this cannot be changed.

    A volume has the larger one of the fixed limit and that by its size, of reads and writes together; 0: no limit. 1
    MB is 10^6 bytes. `organizations`: the only ones that may use the type; empty: all.
    """

    example = {
        "id": "fast",
        "description": "Shared storage on flash, 10 IOPS for each GiB.",
        "pool": "flash",
        "iops": 500,
        "iops_per_gib": 10,
        "mb_per_s": 250,
    }

    id = Name()
    description = Text(max_length=DESCRIPTION_MAX)
    pool = Text(max_length=POOL_MAX, allow_blank=True, default="")
    binding = Choice(BINDINGS, default=IMMEDIATE)
    is_multi_attach = Flag(default=False)
    iops = Whole(min_value=0, max_value=IOPS_MAX, default=0)
    mb_per_s = Whole(min_value=0, max_value=MB_PER_S_MAX, default=0)
    iops_per_gib = Whole(min_value=0, max_value=PER_GIB_MAX, default=0)
    mb_per_s_per_gib = Whole(min_value=0, max_value=PER_GIB_MAX, default=0)
    organizations = references(max_length=ORGANIZATIONS_MAX, default=list)


class VolumeTypePatch(In):
    """Changes of a volume type. Limits count for new volumes, and for others at their next growth or retype.

    `organizations` replaces the former ones. `is_retired`: new volumes are refused; present ones stay as they are.
    """

    example = {"description": "Shared storage on flash, 20 IOPS for each GiB.", "iops_per_gib": 20}

    description = Text(max_length=DESCRIPTION_MAX, required=False)
    iops = Whole(min_value=0, max_value=IOPS_MAX, required=False)
    mb_per_s = Whole(min_value=0, max_value=MB_PER_S_MAX, required=False)
    iops_per_gib = Whole(min_value=0, max_value=PER_GIB_MAX, required=False)
    mb_per_s_per_gib = Whole(min_value=0, max_value=PER_GIB_MAX, required=False)
    organizations = references(max_length=ORGANIZATIONS_MAX, required=False)
    is_retired = Flag(required=False)


class VolumeTypeOut(Out):
    """A volume type. `pool`: the pool of such volumes; empty: the disk of one node.

    `binding`: when a volume gets its place. `immediate`: at its creation; `first_use`: when it is first attached to an
    instance, on the instance's node or in the pool of its zone.

    A volume has the larger one of the fixed limit and that by its size; 0: no limit. `organizations`: the only ones
    that may use the type, for platform roles; null for others. A retired type takes no new volumes.
    `has_snapshots`: snapshots of its volumes can be taken, in at least one of `zones`. `zones`: those that have the
    pool; null: each zone, with the disk of one node. `is_multi_attach`: several instances can have such a volume
    attached at once. `replicas`: the copies that Ceph keeps of the data, the fewest of
    these zones; null: not reported.
    """

    # Context: `organizations`, names by id; None: the actor does not see them. `pools`: by name.
    id = serializers.CharField()
    description = serializers.CharField()
    pool = serializers.CharField()
    binding = serializers.ChoiceField(BINDINGS)
    is_multi_attach = serializers.BooleanField()
    iops = serializers.IntegerField()
    mb_per_s = serializers.IntegerField()
    iops_per_gib = serializers.IntegerField()
    mb_per_s_per_gib = serializers.IntegerField()
    organizations = serializers.SerializerMethodField()
    is_retired = serializers.BooleanField()
    has_snapshots = serializers.SerializerMethodField()
    zones = serializers.SerializerMethodField()
    replicas = serializers.SerializerMethodField()
    generation = serializers.IntegerField()

    @extend_schema_field(NamedOut(many=True, allow_null=True))
    def get_organizations(self, volume_type: VolumeType) -> list[dict[str, Any]] | None:
        names = self.context["organizations"]
        if names is None:
            return None
        return [{"id": str(each), "name": names[each]} for each in volume_type.organization_ids if each in names]

    def get_has_snapshots(self, volume_type: VolumeType) -> bool:
        pools = self._pools(volume_type)
        return pools is not None and pools.has_snapshots

    @extend_schema_field(serializers.ListField(child=serializers.CharField(), allow_null=True))
    def get_zones(self, volume_type: VolumeType) -> list[str] | None:
        pools = self._pools(volume_type)
        return None if not volume_type.pool else list(pools.zones) if pools is not None else []

    @extend_schema_field(serializers.IntegerField(allow_null=True))
    def get_replicas(self, volume_type: VolumeType) -> int | None:
        pools = self._pools(volume_type)
        return None if pools is None else pools.replicas

    def _pools(self, volume_type: VolumeType) -> PoolsOfName | None:
        pools: dict[str, PoolsOfName] = self.context["pools"]
        return pools.get(volume_type.pool)
