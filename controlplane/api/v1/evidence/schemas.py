"""Schemas of the evidence log and of residency."""

import base64

from rest_framework import serializers

from controlplane.audit.models import EvidenceRecord, Kind
from controlplane.kernel.fields import In, Out, Text, Whole


class IntervalOut(Out):
    """An interval of residency.

    `role` compute: memory and processors of a running instance; storage: a disk, from its creation to its erasure or
    to the trash of its storage cluster, whether its instance runs or not; trash: a disk or snapshot there, until its
    data is deleted; snapshot: a snapshot, in its pool and on no node; netedge: a public address, while an instance had
    it and ran, or while the node was the gateway of the network that had it. `disk`: the root disk or volume.
    `instance`: the one with the public address. `state` proven: receipts of the node or the storage agent prove it;
    claimed: a permit allows it, or the node was the gateway, and no receipt confirms it. `end` null: it still lasts.
    Empty ids: not applicable.
    """

    role = serializers.CharField()
    disk = serializers.CharField(allow_blank=True)
    instance = serializers.CharField(allow_blank=True)
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
    """A contradiction. overlap: data was in two zones at once; gap: data at rest was in no zone."""

    code = serializers.ChoiceField(["overlap", "gap"])
    role = serializers.CharField()
    start = serializers.DateTimeField()
    end = serializers.DateTimeField(allow_null=True)


class ResidencyOut(Out):
    """Residency of a resource.

    `next_to` null: that is all. A moment: a public address had more instances and networks than one answer has, and
    these are the last of the period; the same request with this moment as `to` has the ones before.
    """

    intervals = IntervalOut(many=True)
    problems = ResidencyProblemOut(many=True)
    next_to = serializers.DateTimeField(allow_null=True)


class RecordOut(Out):
    """A record of the evidence log.

    `document` and `salt` (base64) are null after erasure; `leaf_index` is null until the record is in the tree.
    """

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
    """Entry of the tree, with hashes in hex.

    `prev` is the leaf of the previous record of its stream, and empty for the first.
    """

    content = serializers.CharField()
    prev = serializers.CharField(allow_blank=True)
    seq = serializers.IntegerField()
    stream = serializers.CharField()


class ProofOut(Out):
    """Inclusion proof (RFC 6962 §2.1.1): hashes in base64, from the leaf up to the root of the log checkpoint.

    The leaf is SHA-256(0x00 ‖ canonical JSON of `entry`); `entry.content` is SHA-256("andromede/record/v1" line feed ‖
    salt ‖ document).
    """

    leaf_index = serializers.IntegerField()
    leaf_hash = serializers.CharField()
    entry = EntryOut()
    hashes = serializers.ListField(child=serializers.CharField())
    checkpoint = serializers.CharField()


class CosignatureIn(In):
    """A cosignature: a line of a signed note, by a witness whose key the operators have added."""

    example = {"tree_size": 1042, "line": "— witness.example.org AAAAAA…"}

    tree_size = Whole(min_value=1, max_value=2**53)
    line = Text(max_length=1000)


def _base64(data: bytes | memoryview) -> str:
    return base64.b64encode(bytes(data)).decode()
