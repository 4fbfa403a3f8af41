"""Guest agents of fake guests: each behaves as a test wants it to."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from agents.node.adapters.interfaces import GuestAgent
from agents.node.errors import GuestAgentMissing, GuestAgentRefused, GuestAgentSilent


class Behaviour(StrEnum):
    """SILENT: takes commands and never answers, LATE: carries them out first. LYING: claims to have frozen nothing."""

    READY = "ready"
    MISSING = "missing"
    SILENT = "silent"
    LATE = "late"
    REFUSING = "refusing"
    LYING = "lying"


@dataclass(slots=True)
class FakeGuestAgent:
    behaviour: Behaviour = Behaviour.READY
    answer: str = "The command has been disabled."
    file_systems: int = 2
    is_frozen: bool = False
    freezes: int = 0

    @property
    def state(self) -> GuestAgent:
        return GuestAgent.DISCONNECTED if self.behaviour is Behaviour.MISSING else GuestAgent.CONNECTED

    def freeze(self, guest_id: UUID) -> int:
        return self._set_frozen(guest_id, is_frozen=True)

    def thaw(self, guest_id: UUID) -> int:
        return self._set_frozen(guest_id, is_frozen=False)

    def _set_frozen(self, guest_id: UUID, *, is_frozen: bool) -> int:
        if self.behaviour is Behaviour.MISSING:
            raise GuestAgentMissing(guest_id)
        if self.behaviour is Behaviour.SILENT:
            raise GuestAgentSilent(guest_id)
        if self.behaviour is Behaviour.REFUSING:
            raise GuestAgentRefused(guest_id, self.answer)
        changed, self.is_frozen = self.is_frozen != is_frozen, is_frozen
        self.freezes += is_frozen
        if self.behaviour is Behaviour.LATE:
            raise GuestAgentSilent(guest_id)
        return self.file_systems if changed and self.behaviour is Behaviour.READY else 0
