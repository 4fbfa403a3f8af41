"""Statements about one attribute over time: overlaps, and the parts that a new statement leaves uncovered.

Pure: officers use it on machines of their own.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

from andromede_core.facts.statements import Statement

FOR_EVER = datetime.max.replace(tzinfo=UTC)
Period = tuple[datetime, datetime]  # [from, to); FOR_EVER has no end
Subject = tuple[str, str, str]  # kind, id, attribute


def period(statement: Statement) -> Period:
    return statement.valid_from, statement.valid_to or FOR_EVER


def subject(statement: Statement) -> Subject:
    return statement.subject_kind, statement.subject_id, statement.attribute


def by_subject(statements: Iterable[Statement]) -> Mapping[Subject, list[Statement]]:
    grouped: dict[Subject, list[Statement]] = defaultdict(list)
    for statement in statements:
        grouped[subject(statement)].append(statement)
    return grouped


def overlap(one: Period, other: Period) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def first_overlap(periods: Iterable[Period]) -> Period | None:
    """Return the first time at which two of the statements overlap."""
    for earlier, later in pairwise(sorted(periods)):
        if overlap(earlier, later):
            return later[0], min(earlier[1], later[1])
    return None


def uncovered(whole: Period, by: Iterable[Period]) -> list[Period]:
    """Return the parts of `whole` that are in none of the others, in order of time."""
    parts = []
    start, end = whole
    for begins, ends in sorted(by):
        if begins > start:
            parts.append((start, min(begins, end)))
        start = max(start, ends)
        if start >= end:
            return parts
    return [*parts, (start, end)]


def with_remainders(new: Sequence[Statement], current: Iterable[Statement]) -> list[Statement]:
    """Return `new`, and the statements that keep the rest of those that it supersedes: their values for the uncovered
    time, by the author of `new`.
    """
    current_by_subject = by_subject(current)
    rest = []
    for about, statements in by_subject(new).items():
        periods = [period(statement) for statement in statements]
        for older in current_by_subject.get(about, ()):
            if any(overlap(period(older), each) for each in periods):
                rest += [
                    replace(older, valid_from=begins, valid_to=_end(ends), author=statements[0].author)
                    for begins, ends in uncovered(period(older), periods)
                ]
    return [*new, *rest]


def _end(moment: datetime) -> datetime | None:
    return None if moment == FOR_EVER else moment
