"""Decide libvirt's hook calls from the agent's records and the starts in progress."""

import xml.etree.ElementTree as ET
from dataclasses import dataclass
from uuid import UUID

from agents.node.adapters.interfaces import Power
from agents.node.state_store import StateStore
from agents.node.trust.start_authorizations import StartAuthorizations


@dataclass(frozen=True, slots=True)
class PermitGate:
    """Allows a start that the agent itself makes, with the agent's definition, under a valid permit, or an expected
    arrival.

    A guest that is off is brought up for a cold migration under the permit of that migration. Nothing here waits for
    the guest's lock: the agent holds it until the start has ended, and would wait for itself.
    """

    state_store: StateStore
    starts: StartAuthorizations

    def may_start(self, instance_id: UUID, operation: str, domain: ET.Element) -> str | None:
        entry, arrival = self.state_store.instances.get(instance_id), self.state_store.arrivals.get(instance_id)
        if arrival is not None and arrival.is_wanted:
            return self.starts.use(instance_id, operation, domain)
        if entry is None:
            return f"The agent of this node was never told of an instance {instance_id}."
        if not entry.is_wanted:
            return f"Instance {instance_id} was removed from this node."
        if entry.spec.power is not Power.RUNNING and not self._is_to_be_sent(instance_id):
            return f"Instance {instance_id} is not wanted running on this node."
        return self.starts.use(instance_id, operation, domain)

    def _is_to_be_sent(self, instance_id: UUID) -> bool:
        departure = self.state_store.departures.get(instance_id)
        return departure is not None and departure.is_wanted and departure.spec.is_off

    def report(self, instance_id: UUID, operation: str, sub_operation: str) -> None:
        """Do nothing: guest events come from libvirt itself, and the log has the call."""
