"""Schemas of node fencing."""

from rest_framework import serializers

from controlplane.api.v1.nodes.schemas import NodeOut
from controlplane.api.v1.operations.schemas import PlatformOperationOut
from controlplane.kernel.fields import Choice, ErrorOut, In, NamedOut, Out, Text
from controlplane.node_lifecycle.fencing.storage_fences import PROBLEMS
from controlplane.nodes.models import EVIDENCE_KINDS


class FenceEvidenceOut(Out):
    """Proof that the node is inactive.

    `detail`: the observation; `by`: the actor who attested or requested it; `boot`: the boot of the node that it ends.
    """

    id = serializers.UUIDField()
    kind = serializers.ChoiceField(EVIDENCE_KINDS)
    reason = serializers.CharField()
    detail = serializers.DictField()
    boot = serializers.CharField(source="boot_id")
    by = serializers.UUIDField(source="user_id", allow_null=True)
    operation = serializers.UUIDField(source="operation_id", allow_null=True)
    created_at = serializers.DateTimeField()


class EvidenceAtHandOut(Out):
    """A kind of evidence, and whether it can fence the node now; `error` has the reason why not, and `since` the time
    from which it can, if only time is missing.
    """

    kind = serializers.ChoiceField(EVIDENCE_KINDS)
    counts = serializers.BooleanField()
    error = ErrorOut(allow_null=True)
    since = serializers.DateTimeField(allow_null=True)
    facts = serializers.DictField()


class StorageFenceOut(Out):
    """A fence of the node in a storage cluster, which refuses the `addresses` until `expires_at`; it is renewed.

    `fenced_at`: null: the cluster has not answered yet. `problem`: why it does not refuse all addresses of the node:
    `no-address`, none is known; `shared-address`, another node has one too; `agent-address`, it is the storage agent's;
    `refused`, for another reason. Empty: none.
    """

    storage_cluster = NamedOut(source="cluster")
    addresses = serializers.ListField(child=serializers.CharField())
    fenced_at = serializers.DateTimeField(allow_null=True)
    expires_at = serializers.DateTimeField(allow_null=True)
    problem = serializers.ChoiceField(PROBLEMS)


class FencingOut(Out):
    """Fencing state.

    `evidence`: of the last fencing; null: never fenced. `fences_within_s`: the time after the end of its node lease in
    which the node stops its guests, as last reported; null: no self-fencing. `leased_until`: the end of the last node
    lease. `storage_addresses`: those that storage clusters refuse when the node is fenced; `storage`: where they do.
    """

    at_hand = EvidenceAtHandOut(many=True)
    evidence = FenceEvidenceOut(allow_null=True)
    fences_within_s = serializers.IntegerField(allow_null=True)
    leased_until = serializers.DateTimeField(allow_null=True)
    storage_addresses = serializers.ListField(child=serializers.CharField())
    storage = StorageFenceOut(many=True)


class BmcIn(In):
    """A BMC.

    `address`: an IP address in a management network of the platform, with a port if that is not 443.
    `certificate_sha256`: of its certificate; no other one is trusted. `system_id`: the node's system, if the BMC has
    several. `password` is never returned.
    """

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
    """A BMC. `checked_at`: time of the last check; `problem`: its error."""

    address = serializers.CharField()
    username = serializers.CharField()
    certificate_sha256 = serializers.CharField()
    system_id = serializers.CharField()
    checked_at = serializers.DateTimeField(allow_null=True)
    problem = serializers.CharField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class FenceIn(In):
    """A request to fence a node.

    `evidence`: power lets its BMC switch it off; lease relies on its self-fencing; attestation is the operator's own
    statement that it is off and unplugged, and needs a session with a fresh proof of identity.
    """

    example = {"evidence": "attestation", "reason": "unplugged in rack 7, see ticket 4711"}

    evidence = Choice(choices=EVIDENCE_KINDS)
    reason = Text(max_length=200)


class FenceOut(Out):
    """Result of fencing. `evidence` exists already, or `operation` will produce it."""

    node = NodeOut()
    evidence = FenceEvidenceOut(allow_null=True)
    operation = PlatformOperationOut(allow_null=True)
