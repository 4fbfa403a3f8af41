"""What the agent answers libvirt's hook, from what it was told and wrote down."""

from dataclasses import dataclass
from uuid import UUID

from agents.node.adapters.base import Power
from agents.node.ledger import Ledger


@dataclass(frozen=True, slots=True)
class LedgerGate:
    """A guest may start while the agent was told to have it running.

    It reads the ledger alone. The agent writes a wish down before it starts the guest, and holds the guest's lock
    until the start has ended: a gate that took that lock would wait for itself.
    """

    ledger: Ledger

    def may_start(self, instance_id: UUID, operation: str) -> str | None:
        entry = self.ledger.instances.get(instance_id)
        if entry is None:
            return f"The agent of this node was never told of an instance {instance_id}."
        if not entry.is_wanted:
            return f"Instance {instance_id} was removed from this node."
        if entry.wish.power is not Power.RUNNING:
            return f"Instance {instance_id} is not wanted running on this node."
        return None

    def report(self, instance_id: UUID, operation: str, sub_operation: str) -> None:
        """Nothing to do: guests' events come from libvirt itself, and the log has the call."""
