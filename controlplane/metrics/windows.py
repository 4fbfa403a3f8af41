"""Windows of metrics: period and resolution. Pure, except for the settings."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from andromede_core.documents.messages import Message, message_of
from controlplane.kernel.listing import InvalidParameter, invalid, parse_timestamp
from controlplane.kernel.query_parameters import MOMENT, Parameter, like
from controlplane.metrics import tables
from controlplane.metrics.tables import Tier

DEFAULT_LENGTH = timedelta(hours=1)
MAX_POINTS = 1000
# Without a given resolution, about as many points as fit on a screen.
USUAL_POINTS = 400
STEPS_S = (10, 30, 60, 300, 900, 3600, 6 * 3600, 24 * 3600, 7 * 24 * 3600)
UNITS_S = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 24 * 3600}
DURATION = re.compile(r"([1-9][0-9]{0,6})([smhd]?)")
PARAMETERS = {
    "since": Parameter("The first moment (RFC 3339); an hour before `until` when not given.", MOMENT),
    "until": Parameter("Up to this moment; now when not given, and never later.", MOMENT),
    "resolution": Parameter(
        f"How much time a point stands for, such as 30s, 5m or 1h; there are {MAX_POINTS} points at most, and up to"
        f" {USUAL_POINTS} when it is not given.",
        like("[1-9][0-9]{0,6}[smhd]?"),
    ),
}


@dataclass(frozen=True)
class Window:
    """A window.

    `since` and `until` are multiples of `step`. `tiers`: the possible sources of its points, finest first.
    """

    since: datetime
    until: datetime
    step: timedelta
    tiers: Sequence[Tier]

    @property
    def count(self) -> int:
        return (self.until - self.since) // self.step

    @property
    def moments(self) -> list[datetime]:
        """Return the beginning of each step."""
        return [self.since + number * self.step for number in range(self.count)]

    def is_kept(self, now: datetime) -> bool:
        """Return True if the tier still has the whole window, in steps as fine as requested."""
        return self.since + self.step > now - self.tiers[-1].keep


def window_of(query: Mapping[str, str], now: datetime) -> Window:
    """Return the window of a request.

    Raises:
        InvalidParameter: the period is invalid, too long, or no longer kept.
    """
    until = min(_moment(query, "until") or now, now)
    since = _moment(query, "since") or until - DEFAULT_LENGTH
    if since >= until:
        raise invalid("since", Message("it must be earlier than `until`, and than now."))
    longest = tables.tiers()[-1].keep
    if since < now - longest:
        name = "since" if "since" in query else "until"
        raise invalid(name, Message("metrics older than {days} days are deleted.", days=longest.days))
    if "resolution" in query:
        return _checked(_window(since, until, _resolution(query["resolution"])), now)
    usual = (_window(since, until, step) for step in _steps())
    return next(each for each in usual if each.count <= USUAL_POINTS and each.is_kept(now))


def _moment(query: Mapping[str, str], name: str) -> datetime | None:
    try:
        return parse_timestamp(query[name]) if name in query else None
    except ValueError as exc:
        raise invalid(name, message_of(exc)) from exc


def _resolution(text: str) -> timedelta:
    written = DURATION.fullmatch(text)
    step = timedelta(seconds=int(written[1]) * UNITS_S[written[2]]) if written else timedelta()
    if not step or step % tables.sampling():
        raise invalid(
            "resolution",
            Message(
                "it must be a multiple of {interval} s, such as 30s, 5m or 1h.", interval=_seconds(tables.sampling())
            ),
        )
    return step


def _steps() -> list[timedelta]:
    """Return the steps from fine to coarse; with the last, the whole retention has a few points."""
    steps = [timedelta(seconds=step) for step in STEPS_S]
    return [step for step in steps if not step % tables.sampling()] + [timedelta(days=365)]


def _window(since: datetime, until: datetime, step: timedelta) -> Window:
    tiers = [tier for tier in tables.tiers() if not step % tier.step]
    end = tables.floor(until, step)
    return Window(tables.floor(since, step), end if end == until else end + step, step, tiers)


def _checked(window: Window, now: datetime) -> Window:
    if window.count > MAX_POINTS:
        reason = Message("that would be {count} points, of at most {limit}.", count=window.count, limit=MAX_POINTS)
        raise invalid("resolution", reason)
    if not window.is_kept(now):
        raise _too_fine(window)
    return window


def _too_fine(window: Window) -> InvalidParameter:
    coarser = tables.tiers()[len(window.tiers)]
    reason = Message(
        "points of this resolution are stored for {hours} h; request a multiple of {step} s, or a later `since`.",
        hours=int(window.tiers[-1].keep / timedelta(hours=1)),
        step=_seconds(coarser.step),
    )
    return invalid("resolution", reason)


def _seconds(length: timedelta) -> int:
    return int(length.total_seconds())
