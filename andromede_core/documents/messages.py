"""Reasons: what stands in an error's sentence where no error has a sentence of its own for it.

Standard library only: the placement core gives reasons too. kernel/error_messages.py says them in other languages.
"""

from collections.abc import Mapping


class Reason(str):
    """In English a text like any other. It remembers the template, which is the key of its translations, and the facts,
    among which there may be other reasons."""

    template: str
    facts: Mapping[str, object]

    def __new__(cls, template: str, /, **facts: object) -> "Reason":
        reason = super().__new__(cls, template.format(**facts))
        reason.template, reason.facts = template, facts
        return reason


UNREADABLE = Reason("it cannot be read")


def reason_of(error: Exception) -> Reason:
    """The reason that a ValueError of ours was raised with; what a library says of its inside is nobody's business."""
    told = error.args[0] if error.args else None
    return told if isinstance(told, Reason) else UNREADABLE


def either(*words: str) -> str:
    """ "a", "a or b", "a, b or c"."""
    if len(words) == 1:
        return words[0]
    return Reason("{first} or {last}", first=", ".join(words[:-1]), last=words[-1])
