"""Schemas of the evidence log and of residency."""

import base64

from rest_framework import serializers

from controlplane.audit.models import EvidenceRecord, Kind
from controlplane.kernel.fields import In, Out, Text, Whole


class IntervalOut(Out):
    """`role` compute: its memory and processors, while it runs; storage: a disk, from its creation to its erasure,
    whether its instance runs or not. `disk`: which root disk or volume that is. `state` proven: receipts of the node
    say so; claimed: a permit allows it and no receipt speaks of it. `end` null: still so. Empty ids: there is nothing
    to name."""

    role = serializers.CharField()
    disk = serializers.CharField(allow_blank=True)
    zone = serializers.CharField()
    node = serializers.CharField(allow_blank=True)
    start = serializers.DateTimeField()
    end = serializers.DateTimeField(allow_null=True)
    decision = serializers.CharField(allow_blank=True)
    permit = serializers.CharField(allow_blank=True)
    open_receipt = serializers.CharField(allow_blank=True)
    close_receipt = serializers.CharField(allow_blank=True)
    state = serializers.ChoiceField(["claimed", "proven"])
    is_compliant = serializers.BooleanField()


class ResidencyProblemOut(Out):
    """overlap: in two places at once; gap: data at rest was nowhere."""

    code = serializers.ChoiceField(["overlap", "gap"])
    role = serializers.CharField()
    start = serializers.DateTimeField()
    end = serializers.DateTimeField(allow_null=True)


class ResidencyOut(Out):
    intervals = IntervalOut(many=True)
    problems = ResidencyProblemOut(many=True)


class RecordOut(Out):
    """`document` and `salt` (base64) are null once it was erased; `leaf_index` is null until it has its place."""

    id = serializers.UUIDField()
    kind = serializers.ChoiceField(Kind.values)
    resource = serializers.UUIDField(source="resource_id", allow_null=True)
    created_at = serializers.DateTimeField()
    document = serializers.CharField(allow_null=True)
    salt = serializers.SerializerMethodField()
    leaf_index = serializers.IntegerField(allow_null=True)

    def get_salt(self, record: EvidenceRecord) -> str | None:
        return _base64(record.salt) if record.salt is not None else None


class EntryOut(Out):
    """Hashes in hex. `prev` is the leaf of the record before in its stream, and empty for the first."""

    content = serializers.CharField()
    prev = serializers.CharField(allow_blank=True)
    seq = serializers.IntegerField()
    stream = serializers.CharField()


class ProofOut(Out):
    """RFC 6962 §2.1.1: hashes in base64, from the leaf up, to the root of the checkpoint. The leaf is SHA-256(0x00 ‖
    canonical JSON of `entry`); `entry.content` is SHA-256("andromede/record/v1" line feed ‖ salt ‖ document)."""

    leaf_index = serializers.IntegerField()
    leaf_hash = serializers.CharField()
    entry = EntryOut()
    hashes = serializers.ListField(child=serializers.CharField())
    checkpoint = serializers.CharField()


class CosignatureIn(In):
    """A line of a signed note, by a witness whose key the operators have added."""

    example = {"tree_size": 1042, "line": "— witness.example.org AAAAAA…"}

    tree_size = Whole(min_value=1, max_value=2**53)
    line = Text(max_length=1000)


def _base64(data: bytes | memoryview) -> str:
    return base64.b64encode(bytes(data)).decode()
