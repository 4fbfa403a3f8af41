"""Messages: translatable texts and parts of error messages.

Standard library only: the placement core gives messages too. kernel/error_messages.py translates them.
"""

from collections.abc import Mapping


class Message(str):
    """A text in English that keeps its template and its facts.

    The template is the key of the translations; a fact may be another message.
    """

    template: str
    facts: Mapping[str, object]

    def __new__(cls, template: str, /, **facts: object) -> "Message":
        message = super().__new__(cls, template.format(**facts))
        message.template, message.facts = template, facts
        return message


UNREADABLE = Message("it cannot be read")


def message_of(error: Exception) -> Message:
    """Return the message of our own ValueError; UNREADABLE for one of a library, whose text stays internal."""
    argument = error.args[0] if error.args else None
    return argument if isinstance(argument, Message) else UNREADABLE


def either(*words: str) -> str:
    """Join alternatives: "a", "a or b", "a, b or c"."""
    if len(words) == 1:
        return words[0]
    return Message("{first} or {last}", first=", ".join(words[:-1]), last=words[-1])
