"""The plan of a recovery: what becomes of each guest of a node that is dead. Pure, as the plan of a drain is.

Guests whose disks other nodes have are made again there; who is to be started comes first, the largest of them before
the others. Who finds no place now is in the plan with the reason: it waits for one. The others come back with the node.
"""

from collections.abc import Iterable

from controlplane.node_lifecycle.drain.drain_plan import (
    Entry,
    Guest,
    Plan,
    PlanInputs,
    choose_target,
    largest_first,
    with_guest_moved,
)

# Nothing is stopped: nothing runs.
FALLBACK = "leave"


def plan_recovery(guests: Iterable[Guest], situation: PlanInputs) -> Plan:
    """Same arguments, same plan. Its entries are in the order in which they are to be carried out. `is_running` of a
    guest says that it is to run, its `obstacles` why it stays, and the places are those of nodes that live."""
    entries: list[Entry] = []
    for guest in sorted(guests, key=largest_first):
        entry, situation = _entry(guest, situation)
        entries.append(entry)
    return Plan(situation.node, FALLBACK, tuple(entries))


def _entry(guest: Guest, situation: PlanInputs) -> tuple[Entry, PlanInputs]:
    if guest.is_changing:
        return Entry(guest, "wait"), situation
    if guest.obstacles or guest.question is None:
        return Entry(guest, "stay", reasons=guest.obstacles), situation
    decision = choose_target(guest, guest.question, situation)
    if not decision.candidates:
        return Entry(guest, "evacuate", reasons=(situation.refusal(decision),)), situation
    target = decision.candidates[0]
    return Entry(guest, "evacuate", target), with_guest_moved(guest, guest.question, target, situation)
