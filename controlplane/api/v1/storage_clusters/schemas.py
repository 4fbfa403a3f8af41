"""Schemas of storage clusters."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from controlplane.kernel.fields import In, Name, NamedOut, Out, Text
from controlplane.storage_clusters.models import StorageCluster
from controlplane.storage_clusters.services import INCIDENT_KINDS


class StorageClusterIn(In):
    """A new storage cluster. `address`: HOST:PORT of its storage agent."""

    example = {"name": "ceph-1", "zone": "fr-idf-1", "address": "10.0.7.21:7447"}

    name = Name()
    zone = Text(max_length=63)
    address = Text(max_length=255)


class StorageClusterPoolOut(NamedOut):
    """A pool of the cluster.

    `used_gib`: allocated to disks; `written_gib`: null where Ceph does not count it. `trash_count`: removed volumes
    whose data is not deleted yet, the oldest removed at `trash_since`; null where an older storage agent does not say.
    """

    capacity_gib = serializers.IntegerField()
    used_gib = serializers.IntegerField()
    written_gib = serializers.IntegerField(allow_null=True)
    replicas = serializers.IntegerField()
    is_nearly_full = serializers.BooleanField()
    trash_count = serializers.IntegerField(allow_null=True)
    trash_since = serializers.DateTimeField(allow_null=True)


class StorageClusterOut(Out):
    """A Ceph cluster of a zone, with the last report of its storage agent.

    `health`: Ceph's own, `ok`, `degraded` or `error`; `silent`: it does not answer the agent; empty: not reported yet.
    `health_problems`: the reasons. `problem`: the gravest one by the last report; empty: none. `nodes`: reachable
    nodes of the zone that can open images in its pools. Without a certificate the storage agent is not called.
    """

    id = serializers.UUIDField()
    name = serializers.CharField()
    zone = serializers.CharField(source="zone_id")
    address = serializers.CharField()
    certificate_expires_at = serializers.DateTimeField(allow_null=True)
    last_seen_at = serializers.DateTimeField(allow_null=True)
    software_version = serializers.CharField()
    ceph_version = serializers.CharField()
    fsid = serializers.UUIDField(allow_null=True)
    monitors = serializers.ListField(child=serializers.CharField())
    health = serializers.CharField()
    health_problems = serializers.ListField(child=serializers.CharField())
    problem = serializers.CharField()
    pools = serializers.SerializerMethodField()
    nodes = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()

    @extend_schema_field(StorageClusterPoolOut(many=True))
    def get_pools(self, cluster: StorageCluster) -> Any:
        pools = sorted(cluster.pools.all(), key=lambda pool: pool.name)
        return StorageClusterPoolOut(pools, many=True).data

    @extend_schema_field(NamedOut(many=True))
    def get_nodes(self, cluster: StorageCluster) -> Any:
        return NamedOut(self.context["nodes"].get(cluster.zone_id, ()), many=True).data


class StorageClusterIncidentOut(Out):
    """An incident of the storage cluster: a problem, from its first observation on.

    `name`: of a missing volume or root disk, as POOL/ID, or of a node that is not fenced; else empty. `ended_at`: since
    when it is no longer observed.
    """

    id = serializers.UUIDField()
    kind = serializers.ChoiceField(INCIDENT_KINDS)
    name = serializers.CharField()
    created_at = serializers.DateTimeField()
    seen_at = serializers.DateTimeField(source="observed_at")
    ended_at = serializers.DateTimeField(allow_null=True)
