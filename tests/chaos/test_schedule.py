"""The seed decides the schedule of a run."""

from scripts.chaos import acts, strikes
from scripts.chaos.schedule import Length, Schedule, schedule

LENGTH = Length(acts=300, strikes=40, seconds=100)


def planned(seed: int, length: Length = LENGTH) -> Schedule:
    weights = {name: kind.weight for name, kind in acts.ACTS.items()}
    targets = {name: (kind.weight, kind.targets or ("a", "b")) for name, kind in strikes.STRIKES.items()}
    return schedule(seed, length, users=6, acts=weights, strikes=targets)


def test_schedule_depends_on_the_seed_alone() -> None:
    assert planned(1) == planned(1)
    assert planned(1) != planned(2)


def test_schedule_has_the_requested_events_in_order_and_in_time() -> None:
    plan = planned(1)
    assert (len(plan.acts), len(plan.strikes)) == (300, 40)
    for moments in ([act.at_s for act in plan.acts], [strike.at_s for strike in plan.strikes]):
        assert moments == sorted(moments)
        assert moments[0] >= 0
    assert max(strike.at_s for strike in plan.strikes) <= LENGTH.seconds


def test_schedule_has_every_kind_of_act_and_strike() -> None:
    plan = planned(3, Length(2000, 500, 100))
    assert {act.name for act in plan.acts} == set(acts.ACTS)
    assert {strike.name for strike in plan.strikes} == set(strikes.STRIKES)
    assert {act.user for act in plan.acts} == set(range(6))


def test_no_strike_lasts_ten_seconds() -> None:
    assert max(strike.seconds for strike in planned(4).strikes) < 10
