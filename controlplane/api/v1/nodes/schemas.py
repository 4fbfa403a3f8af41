"""Schemas of nodes, their inventory and incidents."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from controlplane.api.v1.instances.schemas import POWER_STATES
from controlplane.compute.models import INSTANCE
from controlplane.kernel.fields import In, NamedOut, Out, Text
from controlplane.nodes.display_state import DISPLAY_STATES, display_state
from controlplane.nodes.models import ADMIN_STATE, NODE, Inventory, Node

RESOURCES = ("vcpus", "memory_mib", "disk_gib")


class CordonIn(In):
    example = {"reason": "its fan is to be replaced"}

    reason = Text(max_length=200, default="", allow_blank=True)


class AmountsOut(Out):
    """Amounts; capacity = (total - reserved) · ratio, rounded down."""

    total = serializers.IntegerField()
    reserved = serializers.IntegerField()
    ratio = serializers.FloatField()
    capacity = serializers.IntegerField()
    used = serializers.IntegerField()


class InventoryOut(Out):
    vcpus = AmountsOut()
    memory_mib = AmountsOut()
    disk_gib = AmountsOut()

    def to_representation(self, instance: Inventory) -> dict[str, Any]:
        return {name: self._amounts(instance, name) for name in RESOURCES}

    @staticmethod
    def _amounts(inventory: Inventory, name: str) -> dict[str, Any]:
        amounts = {part: getattr(inventory, f"{name}_{part}") for part in ("total", "reserved", "capacity", "used")}
        return amounts | {"ratio": float(getattr(inventory, f"{name}_ratio"))}


class TrustOut(Out):
    """Trust documents that the node reported last, and whether libvirt asks its agent before a guest starts."""

    keyset_version = serializers.IntegerField()
    charter_version = serializers.IntegerField()
    deny_version = serializers.IntegerField()
    facts_epoch = serializers.IntegerField()
    is_clock_kept = serializers.BooleanField()
    hook_problem = serializers.CharField()
    attested_at = serializers.DateTimeField(allow_null=True)
    is_attested = serializers.BooleanField()


class IncidentOut(Out):
    """An incident on the node, without automatic repair; `ended_at`: since when it is no longer observed."""

    id = serializers.UUIDField()
    kind = serializers.CharField()
    name = serializers.CharField()
    facts = serializers.DictField()
    created_at = serializers.DateTimeField()
    seen_at = serializers.DateTimeField(source="observed_at")
    ended_at = serializers.DateTimeField(allow_null=True)


class IncidentOfNodeOut(IncidentOut):
    """An incident with its node."""

    node = NamedOut()
    zone = serializers.CharField(source="node.zone_id")


class NodeOut(Out):
    """A node.

    `state`: by its heartbeat. `duty`: the admin state, set by operators. `life`: the display state, which combines
    both. `is_cordoned`: it takes no new allocations, whatever the admin state.
    """

    id = serializers.UUIDField()
    name = serializers.CharField()
    zone = serializers.CharField(source="zone_id")
    address = serializers.CharField()
    state = serializers.ChoiceField(list(NODE.moves))
    duty = serializers.ChoiceField(list(ADMIN_STATE.moves), source="admin_state")
    duty_reason = serializers.CharField(source="admin_state_reason")
    duty_since = serializers.DateTimeField(source="admin_state_since")
    life = serializers.SerializerMethodField()
    is_cordoned = serializers.BooleanField()
    cordon_reason = serializers.CharField(source="admin_state_reason")
    last_heartbeat_at = serializers.DateTimeField(allow_null=True)
    certificate_expires_at = serializers.DateTimeField()
    agent_version = serializers.CharField()
    virt_type = serializers.CharField()
    cpu_model = serializers.CharField()
    traits = serializers.ListField(child=serializers.CharField())
    inventory = InventoryOut()
    trust = TrustOut(source="*")
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()

    @extend_schema_field(serializers.ChoiceField(DISPLAY_STATES))
    def get_life(self, node: Node) -> str:
        return display_state(node.state, node.admin_state)


class RetireIn(In):
    example = {"reason": "it is sold"}

    reason = Text(max_length=200)


class GuestOut(Out):
    """An instance on a node: its owner and size. Other fields are visible to its project only."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    project = NamedOut()
    organization = NamedOut(source="project.organization")
    state = serializers.ChoiceField(list(INSTANCE.moves))
    power_state = serializers.ChoiceField(POWER_STATES)
    power_state_at = serializers.DateTimeField(allow_null=True)
    flavor = serializers.CharField()
    vcpus = serializers.IntegerField()
    memory_mib = serializers.IntegerField()
    disk_gib = serializers.IntegerField()
    created_at = serializers.DateTimeField()
