"""Moments in options."""

from __future__ import annotations

from datetime import UTC, datetime

import typer


def parse_moment(text: str, problem: str) -> datetime:
    """Parse a moment (RFC 3339); a date means its beginning; in UTC unless the text has an offset.

    `problem`: the message for another text, with a place for `text`.

    Raises:
        typer.BadParameter
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as exc:
        raise typer.BadParameter(problem.format(text=text)) from exc
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
