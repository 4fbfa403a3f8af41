"""The plan of a drain: the action for each guest of a node, computed before any of them starts. Pure.

Guests that can migrate are placed one after another, the largest first, in a fleet that includes each earlier one, so a
plan that finds a node for all does not count the same free capacity twice.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from uuid import UUID

from andromede_core.placement.decide import decide
from andromede_core.placement.decision import Decision
from andromede_core.placement.fleet import Fleet
from andromede_core.placement.request import ResolvedRequest
from andromede_core.policy.assessment import Assessment

Document = Mapping[str, object]
# The nodes of each affinity group's members.
Places = Mapping[UUID, Mapping[UUID, str]]


@dataclass(frozen=True)
class GuestRequest:
    """The placement request for a guest: all its amounts, those of its volumes included."""

    request: ResolvedRequest
    assessment: Assessment
    group_id: UUID | None = None


@dataclass(frozen=True)
class Guest:
    """A guest of the node.

    `is_running`: it runs, or is about to. `is_changing`: an operation creates or changes it, and the drain waits for
    that. `obstacles` (errors as documents): the reasons against a migration. `question`: the placement
    request, or None.
    """

    id: UUID
    name: str
    project_id: UUID
    is_running: bool
    is_changing: bool = False
    obstacles: tuple[Document, ...] = ()
    question: GuestRequest | None = None


@dataclass(frozen=True)
class Entry:
    """The plan for one guest.

    `action`: migrate, stop, stay (it is off), leave (it runs on, and the drain cannot end) or wait (until its operation
    has ended; then it gets another action); a stopped guest migrates if it can. In a recovery: evacuate, stay (it comes
    back with the node) or wait.

    `target`: the id of the node where it would go now; the migration decides again. `reasons`: why it cannot be moved,
    or not now. `start_obstacles`: why a stopped one would not be started again, if its node were returned now.
    """

    guest: Guest
    action: str
    target: str | None = None
    reasons: tuple[Document, ...] = ()
    start_obstacles: tuple[Document, ...] = ()


@dataclass(frozen=True)
class Plan:
    """The plan. `fallback`: leave or stop a running guest that cannot migrate."""

    node: str
    fallback: str
    entries: tuple[Entry, ...]

    @property
    def digest(self) -> str:
        """Return the digest of what an operator confirms.

        It covers the guests to migrate, stop or leave, the reasons, and the guests that are not started again. Targets
        may change meanwhile.
        """
        lines = [
            [str(entry.guest.id), entry.action, _codes(entry.reasons), *filter(None, [_codes(entry.start_obstacles)])]
            for entry in sorted(self.entries, key=lambda entry: entry.guest.id)
        ]
        text = json.dumps([self.node, self.fallback, lines], separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def _codes(documents: Iterable[Document]) -> list[str]:
    return sorted(str(document["code"]) for document in documents)


@dataclass(frozen=True)
class PlanInputs:
    """The inputs of a plan. `refusal` returns, as an error's document, why a decision admits nothing."""

    node: str
    fleet: Fleet
    places: Places
    refusal: Callable[[Decision], Document]


def plan(guests: Iterable[Guest], situation: PlanInputs, *, fallback: str) -> Plan:
    """Compute the plan. Deterministic. Its entries are in the order in which they are to be carried out."""
    entries: list[Entry] = []
    for guest in sorted(guests, key=largest_first):
        entry, situation = _entry(guest, situation, fallback)
        entries.append(entry)
    return Plan(situation.node, fallback, tuple(entries))


def largest_first(guest: Guest) -> tuple[bool, tuple[int, ...], str]:
    amounts = guest.question.request.resources if guest.question else (0, 0, 0)
    vcpus, memory_mib, disk_gib = amounts
    return not guest.is_running, (-memory_mib, -vcpus, -disk_gib), str(guest.id)


def _entry(guest: Guest, situation: PlanInputs, fallback: str) -> tuple[Entry, PlanInputs]:
    if guest.is_changing:
        return Entry(guest, "wait"), situation
    if guest.obstacles or guest.question is None:
        return _immovable_entry(guest, guest.obstacles, fallback), situation
    decision = choose_target(guest, guest.question, situation)
    if not decision.candidates:
        return _immovable_entry(guest, (situation.refusal(decision),), fallback), situation
    target = decision.candidates[0]
    return Entry(guest, "migrate", target), with_guest_moved(guest, guest.question, target, situation)


def _immovable_entry(guest: Guest, reasons: tuple[Document, ...], fallback: str) -> Entry:
    if not guest.is_running:
        return Entry(guest, "stay", reasons=reasons)
    return Entry(guest, "stop" if fallback == "stop" else "leave", reasons=reasons)


def choose_target(guest: Guest, question: GuestRequest, situation: PlanInputs) -> Decision:
    members = situation.places.get(question.group_id, {}) if question.group_id else {}
    others = frozenset(node for member, node in members.items() if member != guest.id)
    request = replace(
        question.request,
        groups=tuple(replace(group, nodes=others) for group in question.request.groups),
        excluded_nodes=question.request.excluded_nodes | {situation.node},
    )
    return decide(request, situation.fleet, question.assessment, seed=guest.id.int % 2**32)


def with_guest_moved(guest: Guest, question: GuestRequest, target: str, situation: PlanInputs) -> PlanInputs:
    """Return the inputs with the guest on its target. Its old allocation stays: it is on the draining node."""
    places = situation.places
    if question.group_id is not None:
        places = {**places, question.group_id: {**places.get(question.group_id, {}), guest.id: target}}
    fleet = situation.fleet.with_allocated(target, question.request.resources)
    return replace(situation, fleet=fleet, places=places)
