"""State machines as data: a name and the moves that are allowed. kernel.db.move() is the only writer of a state."""

from collections.abc import Mapping
from dataclasses import dataclass

from controlplane.kernel.errors import IllegalTransition


@dataclass(frozen=True)
class Machine:
    """`moves` maps each state to the states that may follow it; docs/reference/states.md is made from it. `field`: in
    which a row has its state."""

    name: str
    initial: str
    moves: Mapping[str, frozenset[str]]
    field: str = "state"

    def check(self, state: str, to: str) -> None:
        """Raises IllegalTransition unless `to` may follow `state`."""
        if to not in self.moves.get(state, frozenset()):
            raise IllegalTransition(machine=self.name, state=state, to=to)

    @property
    def terminal(self) -> frozenset[str]:
        """The states that nothing follows."""
        return frozenset(state for state, following in self.moves.items() if not following)


def machine(name: str, moves: Mapping[str, str], *, field: str = "state") -> Machine:
    """Reads {"building": "active error deleted", …}; the first key is the initial state."""
    table = {state: frozenset(following.split()) for state, following in moves.items()}
    unknown = {to for following in table.values() for to in following} - table.keys()
    if unknown:
        raise ValueError(f"{name}: moves lead to unknown states {sorted(unknown)}")
    return Machine(name, next(iter(table)), table, field)
