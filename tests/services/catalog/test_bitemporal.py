"""Periods, and the statements that complete a change, checked with generated periods."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from andromede_core.facts.statements import Statement
from controlplane.catalog.bitemporal import FOR_EVER, Period, first_overlap, overlap, period, uncovered, with_remainders

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = [EPOCH + timedelta(days=n) for n in range(12)]


def moment(day: int) -> datetime:
    return DAYS[day] if day < len(DAYS) else FOR_EVER


@st.composite
def statement_series(draw: st.DrawFn) -> list[Period]:
    """Periods none of which overlaps another; some touch."""
    cuts = sorted(draw(st.sets(st.integers(0, len(DAYS)), min_size=2)))
    pieces = [(moment(start), moment(end)) for start, end in zip(cuts, cuts[1:], strict=False)]
    return [piece for piece in pieces if draw(st.booleans())]


def stated_over(when: Period, value: object) -> Statement:
    end = None if when[1] == FOR_EVER else when[1]
    return Statement("zone", "z", "a", value, when[0], end, EPOCH, FOR_EVER, "self_declared", "", "Ada")


def value_at(statements: list[Statement], when: datetime) -> object:
    values = [each.value for each in statements if period(each)[0] <= when < period(each)[1]]
    assert len(values) <= 1
    return values[0] if values else None


@given(statement_series(), statement_series())
def test_each_moment_has_the_new_value_or_the_old_one(new: list[Period], old: list[Period]) -> None:
    stated = [stated_over(each, "new") for each in new]
    before = [stated_over(each, n) for n, each in enumerate(old)]

    whole = with_remainders(stated, before)

    untouched = [each for each in before if not any(overlap(period(each), period(other)) for other in whole)]
    for day in DAYS:
        expected = value_at(stated, day) or value_at(before, day)
        assert value_at([*whole, *untouched], day) == expected
    assert first_overlap(map(period, [*whole, *untouched])) is None


@given(statement_series(), statement_series())
def test_completed_statements_leave_no_gap(new: list[Period], old: list[Period]) -> None:
    whole = [
        period(each)
        for each in with_remainders([stated_over(each, "new") for each in new], [stated_over(each, 0) for each in old])
    ]
    for each in old:
        if any(overlap(each, other) for other in whole):
            assert uncovered(each, whole) == []


@given(statement_series(), statement_series())
def test_complete_statements_need_no_remainder(new: list[Period], old: list[Period]) -> None:
    before = [stated_over(each, 0) for each in old]
    whole = with_remainders([stated_over(each, "new") for each in new], before)
    assert with_remainders(whole, before) == whole


@given(st.tuples(st.integers(0, 11), st.integers(1, 12)).filter(lambda pair: pair[0] < pair[1]), statement_series())
def test_uncovered_is_the_complement_of_the_covered_periods(whole: tuple[int, int], by: list[Period]) -> None:
    requested = moment(whole[0]), moment(whole[1])
    rest = uncovered(requested, by)
    for day in DAYS:
        is_inside = requested[0] <= day < requested[1]
        is_covered = any(start <= day < end for start, end in by)
        assert any(start <= day < end for start, end in rest) == (is_inside and not is_covered)
    assert all(start < end for start, end in rest)


def test_adjacent_periods_do_not_overlap() -> None:
    one, two = (DAYS[0], DAYS[1]), (DAYS[1], DAYS[2])
    assert not overlap(one, two)
    assert first_overlap([two, one]) is None
    assert first_overlap([one, (DAYS[0], DAYS[2])]) == (DAYS[0], DAYS[1])
