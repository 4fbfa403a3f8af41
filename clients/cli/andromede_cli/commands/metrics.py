"""Usage of instances, ports and nodes: a line with a sparkline for each series."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from gettext import gettext as _
from typing import Annotated, Any

import typer

from andromede_cli import output
from andromede_cli.command import Instance, command
from andromede_cli.completion import names
from andromede_cli.moments import parse_moment
from andromede_cli.output import Format
from andromede_cli.session import Session
from andromede_sdk import models

WIDTH = 40
BARS = "▁▂▃▄▅▆▇█"
UNKNOWN = " "
UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
PREFIXES = ("", "k", "M", "G", "T")
Since = Annotated[str, typer.Option("--since", help=_("Start: an age such as 30m, 6h or 7d, or a moment (RFC 3339)."))]
Until = Annotated[str | None, typer.Option("--until", help=_("The same; default: now."), show_default=False)]
Resolution = Annotated[
    str | None,
    typer.Option("--resolution", help=_("Interval between points, such as 10s or 5m."), show_default=False),
]
Node = Annotated[
    str,
    typer.Argument(metavar="NODE", help=_("By name or id."), show_default=False, autocompletion=names("nodes.list")),
]
Port = Annotated[
    str,
    typer.Argument(metavar="PORT", help=_("By name or id."), show_default=False, autocompletion=names("ports.list")),
]


def register_instance(instances: typer.Typer) -> None:
    command(instances, "metrics", _("Show the usage of an instance over time."))(of_instance)


def register_port(ports: typer.Typer) -> None:
    command(ports, "metrics", _("Show the traffic of a port over time."))(of_port)


def register_node(nodes: typer.Typer) -> None:
    command(nodes, "metrics", _("Show the total usage of a node's guests over time."))(of_node)


def of_instance(
    me: Session, name: Instance, since: Since = "1h", until: Until = None, resolution: Resolution = None
) -> None:
    _show(me, lambda query: me.client.instances.metrics(name, **query), since, until, resolution)


def of_port(me: Session, name: Port, since: Since = "1h", until: Until = None, resolution: Resolution = None) -> None:
    _show(me, lambda query: me.client.ports.metrics(name, **query), since, until, resolution)


def of_node(me: Session, name: Node, since: Since = "1h", until: Until = None, resolution: Resolution = None) -> None:
    _show(me, lambda query: me.client.nodes.metrics(name, **query), since, until, resolution)


def _show(
    me: Session, call: Callable[[Any], models.Metrics], since: str, until: str | None, resolution: str | None
) -> None:
    now = datetime.now(UTC)
    query = {"since": _moment(since, now), "until": _moment(until, now) if until else None, "resolution": resolution}
    metrics = call(query)
    if me.form in (Format.JSON, Format.YAML):
        output.structured(metrics.raw, form=me.form)
    elif me.form is Format.NAME:
        for each in metrics.series:
            output.plain(_name(each))
    else:
        titles = [
            _("series"),
            _("last"),
            _("mean"),
            _("highest"),
            _("since {moment}").format(moment=metrics.raw["since"]),
        ]
        output.table(titles, [_row(each) for each in metrics.series])


def _moment(text: str, now: datetime) -> datetime:
    if length := re.fullmatch(r"([0-9]{1,5})([mhd])", text):
        return now - int(length[1]) * UNITS[length[2]]
    return parse_moment(text, _("{text!r} is not a duration or time. Write 6h or 2026-05-01T12:00:00Z."))


def _name(series: models.Series) -> str:
    return f"{series.name} {series.rule_id}" if series.rule_id else series.name


def _row(series: models.Series) -> list[str]:
    values = [value for _moment, value in series.points]
    present = [value for value in values if value is not None]
    if not present:
        return [_name(series), "-", "-", "-", ""]
    figures = [present[-1], sum(present) / len(present), max(present)]
    return [_name(series), *(worded(figure, series.unit) for figure in figures), picture(values)]


def worded(value: float, unit: str) -> str:
    """Format a value: 25 %, 512 MiB, 1.2 kB/s."""
    if unit == "ratio":
        return f"{value:.0%}".replace("%", " %")
    if unit == "MiB":
        return f"{value:.0f} MiB"
    power = 0
    while value >= 999.5 and power < len(PREFIXES) - 1:
        value, power = value / 1000, power + 1
    prefixed = f"{PREFIXES[power]}B/s" if unit == "bytes/s" else f"{PREFIXES[power]}/s"
    return f"{value:.3g} {prefixed}"


def picture(values: Sequence[float | None]) -> str:
    """Return the sparkline, from zero to the highest value; unknown values are blank."""
    cells = [_mean(part) for part in _parts(values)]
    highest = max((cell for cell in cells if cell is not None), default=0) or 1
    bars = (UNKNOWN if cell is None else BARS[min(int(cell / highest * len(BARS)), len(BARS) - 1)] for cell in cells)
    return "".join(bars).rstrip()


def _parts(values: Sequence[float | None]) -> Iterable[Sequence[float | None]]:
    """Divide the values into at most WIDTH parts."""
    count = min(len(values), WIDTH)
    bounds = [len(values) * number // count for number in range(count + 1)] if count else [0]
    return (values[begin:end] for begin, end in zip(bounds, bounds[1:], strict=False))


def _mean(values: Sequence[float | None]) -> float | None:
    present = [value for value in values if value is not None]
    return sum(present) / len(present) if present else None
