"""Reasons: translatable parts of an error message.

Standard library only: the placement core gives reasons too. kernel/error_messages.py translates them.
"""

from collections.abc import Mapping


class Reason(str):
    """A text in English that keeps its template and its facts.

    The template is the key of the translations; a fact may be another reason.
    """

    template: str
    facts: Mapping[str, object]

    def __new__(cls, template: str, /, **facts: object) -> "Reason":
        reason = super().__new__(cls, template.format(**facts))
        reason.template, reason.facts = template, facts
        return reason


UNREADABLE = Reason("it cannot be read")


def reason_of(error: Exception) -> Reason:
    """Return the reason of our own ValueError; UNREADABLE for one of a library, whose text stays internal."""
    told = error.args[0] if error.args else None
    return told if isinstance(told, Reason) else UNREADABLE


def either(*words: str) -> str:
    """Join alternatives: "a", "a or b", "a, b or c"."""
    if len(words) == 1:
        return words[0]
    return Reason("{first} or {last}", first=", ".join(words[:-1]), last=words[-1])
