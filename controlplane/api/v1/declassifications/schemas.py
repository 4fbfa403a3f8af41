"""Schemas of declassifications and of the lineage of data."""

from rest_framework import serializers

from controlplane.api.v1.classifications.schemas import CLASSIFICATIONS_MAX
from controlplane.api.v1.policies.schemas import REASON_MAX, LayerOut
from controlplane.kernel.fields import In, Out, Reference, Text, references

LINEAGE_MAX = 64


class DeclassificationIn(In):
    """A request to remove classifications from the data of one resource."""

    example = {
        "resource": "019abc00-0000-7000-8000-000000000000",
        "classifications": ["acme.trade-secret"],
        "lineage": [],
        "reason": "The patent is published.",
    }

    resource = Reference()
    classifications = references(max_length=CLASSIFICATIONS_MAX, default=list)
    lineage = serializers.ListField(child=serializers.UUIDField(), max_length=LINEAGE_MAX, default=list)
    reason = Text(max_length=REASON_MAX)


class LineageOut(Out):
    """Lineage of a resource: the data of `source_id`, since when, and the policies inherited with it."""

    id = serializers.UUIDField()
    source_id = serializers.UUIDField()
    classifications = serializers.ListField(child=serializers.CharField())
    policies = LayerOut(many=True, source="policies.document")
    created_at = serializers.DateTimeField()
