"""Schemas of pools."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from controlplane.kernel.fields import NamedOut, Out
from controlplane.nodes.models import ENGINES, Pool
from controlplane.nodes.pools import WHYS, MissingNode
from controlplane.storage.models import VOLUME


class MissingNodeOut(NamedOut):
    """A node that should have the pool and does not.

    `silent`: it had the pool at its last heartbeat. `mismatch`: it has another pool with that name. `unmounted`: guests
    on it have disks in the pool.
    """

    why = serializers.ChoiceField(WHYS)

    def to_representation(self, instance: MissingNode) -> dict[str, Any]:
        return {"id": str(instance.node.pk), "name": instance.node.name, "why": instance.why}


class PoolOut(Out):
    """A pool: storage that nodes of a zone share.

    `engine`: `folder`, a file system that they have mounted; `rbd`, a pool of a storage `cluster`. `used_gib`:
    allocated to disks. `is_nearly_full`: it takes no new disks. By Ceph's report, and null for folders: `written_gib`,
    what is written of the capacity, also null where Ceph does not count it; `replicas`; `trash_count`, removed volumes
    whose data is not deleted yet, the oldest removed at `trash_since`. `nodes`: reachable nodes that have it now;
    `missing`: nodes that should have it and do not. `instance_count`: the instances whose root disk is in it.
    """

    id = serializers.UUIDField()
    name = serializers.CharField()
    zone = serializers.CharField(source="zone_id")
    uuid = serializers.UUIDField()
    path = serializers.CharField()
    engine = serializers.ChoiceField(ENGINES)
    cluster = NamedOut(allow_null=True)
    capacity_gib = serializers.IntegerField()
    used_gib = serializers.IntegerField()
    written_gib = serializers.IntegerField(allow_null=True)
    replicas = serializers.IntegerField(allow_null=True)
    is_nearly_full = serializers.BooleanField()
    trash_count = serializers.IntegerField(allow_null=True)
    trash_since = serializers.DateTimeField(allow_null=True)
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
    """A volume in a pool: its owner and size, and the node that has it open, or had it open last."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    project = NamedOut()
    organization = NamedOut(source="project.organization")
    state = serializers.ChoiceField(list(VOLUME.moves))
    size_gib = serializers.IntegerField()
    node = NamedOut(allow_null=True)
    created_at = serializers.DateTimeField()
