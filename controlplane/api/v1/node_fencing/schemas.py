"""Schemas of node fencing."""

from rest_framework import serializers

from controlplane.api.v1.nodes.schemas import NodeOut
from controlplane.api.v1.operations.schemas import PlatformOperationOut
from controlplane.kernel.fields import Choice, ErrorOut, In, Out, Text
from controlplane.nodes.models import EVIDENCE_KINDS


class FenceEvidenceOut(Out):
    """How it is known that the node does nothing any more. `detail`: what was seen; `by`: who said so, or asked for it;
    `boot`: the boot of the node that is over with it."""

    id = serializers.UUIDField()
    kind = serializers.ChoiceField(EVIDENCE_KINDS)
    reason = serializers.CharField()
    detail = serializers.DictField()
    boot = serializers.CharField(source="boot_id")
    by = serializers.UUIDField(source="user_id", allow_null=True)
    operation = serializers.UUIDField(source="operation_id", allow_null=True)
    created_at = serializers.DateTimeField()


class EvidenceAtHandOut(Out):
    """A kind of evidence, and whether the node could be fenced by it now; `error` says why not, and `since` from when
    on, where only time is missing."""

    kind = serializers.ChoiceField(EVIDENCE_KINDS)
    counts = serializers.BooleanField()
    error = ErrorOut(allow_null=True)
    since = serializers.DateTimeField(allow_null=True)
    facts = serializers.DictField()


class FencingOut(Out):
    """`evidence`: by which it was fenced last; null: it never was. `fences_within_s`: so long after the end of its
    lease the node has stopped its guests, as it last said; null: it does not see to that by itself. `leased_until`: no
    lease that it was given lasts longer."""

    at_hand = EvidenceAtHandOut(many=True)
    evidence = FenceEvidenceOut(allow_null=True)
    fences_within_s = serializers.IntegerField(allow_null=True)
    leased_until = serializers.DateTimeField(allow_null=True)


class BmcIn(In):
    """`address`: an IP address in one of the platform's management networks, with a port if that is not 443.
    `certificate_sha256`: of the certificate that it shows; no other one is trusted. `system_id`: which of its systems
    the node is, if it has several. `password` is never given back."""

    example = {
        "address": "10.99.0.11",
        "username": "fencer",
        "password": "three small green doors",
        "certificate_sha256": "5e" * 32,
        "system_id": "1",
    }

    address = Text(max_length=64)
    username = Text(max_length=63)
    password = Text(max_length=128)
    certificate_sha256 = Text(max_length=95)
    system_id = Text(max_length=64, default="", allow_blank=True)


class BmcOut(Out):
    """`checked_at`: when it was last asked; `problem`: what was wrong then."""

    address = serializers.CharField()
    username = serializers.CharField()
    certificate_sha256 = serializers.CharField()
    system_id = serializers.CharField()
    checked_at = serializers.DateTimeField(allow_null=True)
    problem = serializers.CharField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class FenceIn(In):
    """`evidence`: power has its BMC switch it off; lease rests on its having stopped its guests by itself; attestation
    is your own word that it is off and unplugged, and takes a session with a fresh proof of who you are."""

    example = {"evidence": "attestation", "reason": "unplugged in rack 7, see ticket 4711"}

    evidence = Choice(choices=EVIDENCE_KINDS)
    reason = Text(max_length=200)


class FenceOut(Out):
    """`evidence` is there at once, or is what `operation` is to get."""

    node = NodeOut()
    evidence = FenceEvidenceOut(allow_null=True)
    operation = PlatformOperationOut(allow_null=True)
