"""Plan a run from a seed alone: the same seed gives the same acts and the same strikes."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# Of the length of a run, before the first strike: something must be under way that can be hit.
QUIET = 0.03
# So many of the acts come from BEFORE_S before a strike until AFTER_S after its beginning.
HIT, BEFORE_S, AFTER_S = 0.6, 1.5, 0.5
SHORTEST_STRIKE_S, LONGEST_STRIKE_S = 0.5, 9.0


@dataclass(frozen=True, slots=True)
class Act:
    """An act of user `user`, `at_s` seconds after the beginning or after the former act.

    `dice` decides the remaining choices: its subject and its parameters.
    """

    number: int
    user: int
    at_s: float
    name: str
    dice: int


@dataclass(frozen=True, slots=True)
class Strike:
    """The strike `name` on `target` at `at_s`, for `seconds` if it lasts."""

    number: int
    at_s: float
    name: str
    target: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Length:
    """Length of a run: the number of acts and strikes, and the seconds."""

    acts: int
    strikes: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Schedule:
    acts: tuple[Act, ...]
    strikes: tuple[Strike, ...]


def schedule(
    seed: int,
    length: Length,
    *,
    users: int,
    acts: Mapping[str, int],
    strikes: Mapping[str, tuple[int, Sequence[str]]],
) -> Schedule:
    """Make the schedule. `acts`: the frequency of each. `strikes`: the targets of each."""
    dice = random.Random(seed)
    blows = sorted(dice.uniform(QUIET * length.seconds, length.seconds) for _ in range(length.strikes))
    moments = sorted(_moment(dice, length, blows) for _ in range(length.acts))
    names = dice.choices(list(acts), weights=list(acts.values()), k=length.acts)
    done = tuple(
        Act(number, dice.randrange(users), at_s, name, dice.getrandbits(32))
        for number, (at_s, name) in enumerate(zip(moments, names, strict=True))
    )
    kinds = dice.choices(list(strikes), weights=[weight for weight, _ in strikes.values()], k=length.strikes)
    struck = tuple(
        Strike(number, at_s, name, dice.choice(strikes[name][1]), dice.uniform(SHORTEST_STRIKE_S, LONGEST_STRIKE_S))
        for number, (at_s, name) in enumerate(zip(blows, kinds, strict=True))
    )
    return Schedule(done, struck)


def _moment(dice: random.Random, length: Length, blows: Sequence[float]) -> float:
    """Return a moment: some acts come at any time, others just at a strike, so that it hits them half done."""
    if not blows or dice.random() >= HIT:
        return dice.uniform(0, length.seconds)
    return max(0.0, dice.choice(blows) + dice.uniform(-BEFORE_S, AFTER_S))
