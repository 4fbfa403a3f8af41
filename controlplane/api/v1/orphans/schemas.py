"""Schemas of orphans."""

from rest_framework import serializers

from controlplane.kernel.fields import In, NamedOut, Out, Text
from controlplane.nodes.orphan_states import ORPHAN, ORPHAN_KINDS, REQUESTED_ACTIONS


class DiscardIn(In):
    """A request to discard an orphan. `name`: repeats the name, as confirmation. `reason`: kept in the evidence."""

    example = {"name": "volumes/left-behind.raw", "reason": "left behind by a test of the old cloud"}

    name = Text(max_length=300)
    reason = Text(max_length=200)


class ReleaseIn(In):
    example = {"reason": "it is the backup that we made by hand"}

    reason = Text(max_length=200)


class OrphanOut(Out):
    """An orphan.

    `name`: its name on the node or in the `pool` of the `storage_cluster`, or for a row without a resource, its id.
    `resource`: the id that it would have as a resource. `wished`: a decision that is not carried out yet, since the
    node or cluster does not answer or because of `problem`. `evidence`: of the deletion: by whom, why, and the report
    of the node or of the storage cluster.
    """

    id = serializers.UUIDField()
    kind = serializers.ChoiceField(ORPHAN_KINDS)
    name = serializers.CharField()
    node = NamedOut(allow_null=True)
    storage_cluster = NamedOut(source="pool.cluster", default=None, allow_null=True)
    pool = serializers.CharField(source="pool.name", default=None, allow_null=True)
    zone = serializers.CharField(source="zone_id", allow_null=True)
    resource = serializers.UUIDField(source="resource_id", allow_null=True)
    state = serializers.ChoiceField(list(ORPHAN.moves))
    wished = serializers.ChoiceField(REQUESTED_ACTIONS, source="requested_action")
    reason = serializers.CharField()
    problem = serializers.CharField()
    size_bytes = serializers.IntegerField(allow_null=True)
    facts = serializers.DictField()
    evidence = serializers.DictField()
    created_at = serializers.DateTimeField()
    seen_at = serializers.DateTimeField(source="observed_at")
    quarantined_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
