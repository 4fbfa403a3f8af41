"""State machines as data: a name and the allowed transitions. kernel.db.move() is the only writer of a state."""

from collections.abc import Mapping
from dataclasses import dataclass

from controlplane.kernel.errors import IllegalTransition


@dataclass(frozen=True)
class Machine:
    """A state machine.

    `moves` maps each state to its successors; docs/reference/states.md is generated from it. `field`: the column of the
    state.
    """

    name: str
    initial: str
    moves: Mapping[str, frozenset[str]]
    field: str = "state"

    def check(self, state: str, to: str) -> None:
        """Raise IllegalTransition unless `to` may follow `state`."""
        if to not in self.moves.get(state, frozenset()):
            raise IllegalTransition(machine=self.name, state=state, to=to)

    @property
    def terminal(self) -> frozenset[str]:
        """Return the states without successors."""
        return frozenset(state for state, following in self.moves.items() if not following)


def machine(name: str, moves: Mapping[str, str], *, field: str = "state") -> Machine:
    """Build a state machine from {"building": "active error deleted", …}; the first key is the initial state."""
    table = {state: frozenset(following.split()) for state, following in moves.items()}
    unknown = {to for following in table.values() for to in following} - table.keys()
    if unknown:
        raise ValueError(f"{name}: moves lead to unknown states {sorted(unknown)}")
    return Machine(name, next(iter(table)), table, field)
