"""Network cards of running guests: plug and unplug what a new spec of the instance changes.

The port of a card that the guest holds counts as used, so that it is not removed under the guest.
"""

from collections.abc import Sequence
from uuid import UUID

from agents.node.adapters.interfaces import GuestSpec, Power
from agents.node.adapters.network_specs import tap_name
from agents.node.context import Node
from agents.node.specs import InstanceSpec


def leaving(node: Node, instance_id: UUID, spec: InstanceSpec) -> list[UUID]:
    """Return the ports that a guest which is on has, and that the new spec does not list."""
    used = node.state_store.used_by("instance", instance_id, "port")
    left = [port_id for port_id in used if port_id not in spec.port_ids]
    return left if left and _is_on(node, instance_id) else []


def plug(node: Node, guest: GuestSpec) -> None:
    """Plug in the cards that the running guest does not have."""
    for nic in guest.nics:
        node.adapters.hypervisor.plug_card(guest.id, nic)


def unplug(node: Node, instance_id: UUID, spec: InstanceSpec, port_ids: Sequence[UUID]) -> bool:
    """Unplug the cards of these ports, and return whether the guest has let go of all: one that is off has none.

    A guest that is to shut down keeps its cards until it is off.

    Raises:
        DetachPending: the guest has not let go of a card.
    """
    if not port_ids or not _is_on(node, instance_id):
        return True
    if spec.power is not Power.RUNNING:
        return False
    for port_id in port_ids:
        node.adapters.hypervisor.unplug_card(instance_id, tap_name(port_id))
    return True


def _is_on(node: Node, instance_id: UUID) -> bool:
    state = node.adapters.hypervisor.state(instance_id)
    return state is not None and state.power in (Power.RUNNING, Power.PAUSED)
