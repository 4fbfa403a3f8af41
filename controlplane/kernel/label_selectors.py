"""Selectors of labels: `env=prod,tier!=web,app in (a,b)`."""

import re

from django.db.models import Q

from andromede_core.documents.labels import LABEL_KEY, LABEL_VALUE
from andromede_core.documents.messages import Message

SELECTOR_MAX = 32  # terms
SELECTOR_MAX_LETTERS = 1000
# Possessive quantifiers, so that the pattern does not backtrack over blanks before an invalid character.
TERM = re.compile(r"\s*+([^\s=!,()]++)\s*+(?:(!=|=)\s*+([^\s=!,()]*+)|in\s*+\(([^()]*+)\))\s*+(?:,|$)")


def label_selector(text: str, lookup: str) -> Q:
    """Return the condition of a selector of labels; `lookup`: their field. An empty one selects all.

    Raises:
        ValueError: with a Message.
    """
    if len(text) > SELECTOR_MAX_LETTERS:
        raise ValueError(Message("it has more than {limit} letters.", limit=SELECTOR_MAX_LETTERS))
    condition, position, terms = Q(), 0, 0
    while position < len(text):
        term = TERM.match(text, position)
        if term is None or terms == SELECTOR_MAX:
            raise ValueError(Message("it must look like env=prod,tier!=web,app in (a,b)."))
        condition &= _term(lookup, *term.groups())
        position, terms = term.end(), terms + 1
    return condition


def _term(lookup: str, key: str, sign: str | None, value: str | None, many: str | None) -> Q:
    values = [part.strip() for part in many.split(",")] if many is not None else [value or ""]
    if not LABEL_KEY.fullmatch(key) or not all(LABEL_VALUE.fullmatch(each) for each in values):
        raise ValueError(Message("keys and values have up to 63 letters, digits and - _ . /"))
    has_one = Q(*(Q(**{f"{lookup}__contains": {key: each}}) for each in values), _connector=Q.OR)
    return ~has_one if sign == "!=" else has_one
