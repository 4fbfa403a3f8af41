"""Facts of zones, parties and named sets with their validity. Standard library only: nodes run this too.

Every statement holds in a half-open interval of time and has to be renewed by its review date. A value that is missing,
null, outside its interval or due for review is unknown, and unknown refuses.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal, get_args

ZoneStatus = Literal["open", "draining", "closed"]
Assertion = Literal["self_declared", "third_party", "certificate", "measured"]

ASSERTIONS: tuple[Assertion, ...] = get_args(Assertion)  # weakest first


@dataclass(frozen=True, slots=True)
class Fact:
    """A stated value and its validity. `value` is a JSON value of the attribute's type, or None: declared unknown."""

    value: object
    valid_from: datetime
    valid_to: datetime | None = None
    review_by: datetime | None = None
    assertion: Assertion = "self_declared"

    def holds_at(self, moment: datetime) -> bool:
        return self.valid_from <= moment and (self.valid_to is None or moment < self.valid_to)


Timeline = tuple[Fact, ...]  # facts about one attribute, in order of time, none overlapping another


class Horizon:
    """The earliest moment after `now` at which a value that was read may change."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.until: datetime | None = None

    def add_boundary(self, *moments: datetime | None) -> None:
        for moment in moments:
            if moment is not None and moment > self.now and (self.until is None or moment < self.until):
                self.until = moment

    def add_last_moment(self, moment: datetime) -> None:
        """Add a boundary for a value that still holds at this very moment, and no longer just after."""
        self.add_boundary(moment if moment > self.now else shifted(moment, timedelta(microseconds=1)))


def shifted(moment: datetime, step: timedelta) -> datetime:
    """Return `moment + step`, limited to the range of datetime: documents without an end state the year 9999."""
    try:
        return moment + step
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC) if step > timedelta() else datetime.min.replace(tzinfo=UTC)


def at(timeline: Sequence[Fact], horizon: Horizon) -> Fact | None:
    """Return the fact that holds now and is not due for review."""
    for fact in timeline:
        horizon.add_boundary(fact.valid_from, fact.valid_to)
        if fact.holds_at(horizon.now):
            horizon.add_boundary(fact.review_by)
            return fact if fact.review_by is None or horizon.now < fact.review_by else None
    return None


@dataclass(frozen=True, slots=True)
class Subject:
    """A zone or a party with its facts by attribute."""

    id: str
    facts: Mapping[str, Timeline] = field(default_factory=dict)

    def timeline(self, attribute: str) -> Timeline:
        return self.facts.get(attribute, ())


@dataclass(frozen=True, slots=True)
class Zone(Subject):
    """A zone with its facts. `status` is an operator's switch, not a fact: it can only close what policies admit."""

    status: ZoneStatus = "open"


@dataclass(frozen=True, slots=True)
class World:
    """The facts that policies are evaluated against.

    `sets`: territories by name (@EU); `scheme_classes`: certification schemes by name; both versioned like any fact.
    """

    zones: Mapping[str, Zone] = field(default_factory=dict)
    parties: Mapping[str, Subject] = field(default_factory=dict)
    sets: Mapping[str, Timeline] = field(default_factory=dict)
    scheme_classes: Mapping[str, Timeline] = field(default_factory=dict)
