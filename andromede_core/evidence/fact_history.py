"""Trusted facts about zones and parties in each epoch, from the records of facts. Standard library only."""

from collections.abc import Mapping
from dataclasses import dataclass

from andromede_core.documents.messages import Message
from andromede_core.documents.parsing import as_choice, as_count, as_list, as_text, refuse
from andromede_core.documents.signed import Signed, from_envelope
from andromede_core.evidence.export_format import MAX
from andromede_core.facts.statements import Statement, parse, world
from andromede_core.facts.world import World

Epoch = int


@dataclass
class StatementPeriod:
    """The epochs in which a statement held. `until`: the first epoch in which it held no more, or None."""

    statement: Statement
    since: Epoch
    until: Epoch | None = None

    def holds_in(self, epoch: Epoch) -> bool:
        return self.since <= epoch and (self.until is None or epoch < self.until)


class FactHistory:
    """Facts by epoch. Facts come in the order of their stream, in which epochs only grow."""

    def __init__(self) -> None:
        self.newest: Epoch = 0
        self._facts: dict[str, StatementPeriod] = {}
        self._made: dict[Epoch, World] = {}

    def record(self, body: Mapping[str, object], signed: Signed | None) -> None:
        """Apply the document of a fact record; `signed` is its statement, None for a withdrawal.

        Raises:
            Malformed: the document has no valid meaning, or it changes a past that others have already relied on.
        """
        as_choice(body.get("event"), "event", among=("stated", "withdrawn"))
        epoch = as_count(body.get("epoch"), "epoch", minimum=self.newest, maximum=MAX)
        fact = as_text(body.get("fact"), "fact")
        if signed is None:
            self._end(fact, epoch)
        else:
            for other in as_list(body.get("supersedes", []), "supersedes"):
                self._end(as_text(other, "supersedes"), epoch)
            if fact in self._facts:
                refuse("fact", Message("was stated before under this id"))
            self._facts[fact] = StatementPeriod(parse(signed.payload), epoch)
        self.newest = epoch

    def _end(self, fact: str, epoch: Epoch) -> None:
        """End a superseded statement. Several statements of one moment may supersede the same one."""
        current = self._facts.get(fact)
        if current is None or current.until not in (None, epoch):
            refuse("fact", Message("{fact} was not in force", fact=fact))
        current.until = epoch

    def of(self, epoch: Epoch) -> World:
        """Return the facts of an epoch. Epochs also begin when keys or charters change; facts carry over into them."""
        if epoch not in self._made:
            statements = [fact.statement for fact in self._facts.values() if fact.holds_in(epoch)]
            zones = {each.subject_id for each in statements if each.subject_kind == "zone"}
            # The status of a zone is no fact and changes no clause. One world is cached: epochs come in runs.
            self._made = {epoch: world(statements, {zone: "open" for zone in sorted(zones)})}
        return self._made[epoch]


def signed_of(body: Mapping[str, object]) -> Signed:
    """Return the signed document inside a record.

    Raises:
        ValueError: there is none.
    """
    return from_envelope(body.get("signed"))
