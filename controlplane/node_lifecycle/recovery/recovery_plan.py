"""The plan of a recovery: the action for each guest of a fenced node. Pure, like the plan of a drain.

Guests whose disks other nodes have are evacuated; guests that are to run come first, the largest before the others. A
guest that fits nowhere now is in the plan with the reason, and waits. The others come back with the node.
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

# A recovery stops no guest: none runs.
FALLBACK = "leave"


def plan_recovery(guests: Iterable[Guest], situation: PlanInputs) -> Plan:
    """Compute the plan. Deterministic. Its entries are in the order in which they are to be carried out.

    `is_running` of a guest: it is to run; `obstacles`: why it stays; the fleet has the nodes that are not lost.
    """
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
