"""Forecasts: whether a data location satisfies its policies now, and until when if no fact changes.

Pure, standard library only.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from andromede_core.facts.world import World, Zone
from andromede_core.policy.clauses import Policy
from andromede_core.policy.evaluation import ClauseResult, evaluate

WARNING_DAYS = (180, 90, 30, 7)
MOMENTS_AT_MOST = 1000  # boundaries within the longest warning; a real catalogue has fewer

State = Literal["compliant", "at-risk", "drifted"]


@dataclass(frozen=True, slots=True)
class Forecast:
    """The forecast of a location.

    `fails_at`: the moment from which it is no longer admissible, if that is within the longest warning (now or earlier
    when it has drifted). `failing`: the clauses that do not hold then.
    """

    state: State
    fails_at: datetime | None
    failing: tuple[ClauseResult, ...]

    def warning(self, now: datetime) -> int | None:
        """Return the shortest of WARNING_DAYS that has begun, or None."""
        if self.state != "at-risk" or self.fails_at is None:
            return None
        return min(days for days in WARNING_DAYS if self.fails_at <= now + timedelta(days=days))


def forecast(
    policies: Sequence[Policy], zone: Zone | None, world: World, *, now: datetime, roles: Collection[str]
) -> Forecast:
    """Evaluate at each boundary from now on until one fails, or none is left within the longest warning."""
    moment, last = now, now + timedelta(days=max(WARNING_DAYS))
    for _ in range(MOMENTS_AT_MOST):
        evaluation = evaluate(policies, zone, world, now=moment, roles=roles)
        if not evaluation.admits:
            failing = tuple(result for result in evaluation.results if result.result != "T")
            return Forecast("drifted" if moment == now else "at-risk", moment, failing)
        if evaluation.valid_until is None or evaluation.valid_until > last:
            break
        moment = evaluation.valid_until
    return Forecast("compliant", None, ())
