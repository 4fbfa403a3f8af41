"""Texts of errors in the reader's language. The English template is the key of its translations.

A fact that is a Message is translated too. The fact `explanation_fr` replaces `explanation` in French: a text that
other code has rendered comes in all languages at once.
"""

import string
from collections.abc import Mapping
from functools import cache
from typing import Any

from django.utils.translation import get_language, gettext

from andromede_core.documents.messages import Message
from controlplane.kernel.errors import REGISTRY, CloudError

LINKS = ("blocking_operation", "placement_decision")
# Facts that are prose; programs do not need them.
PROSE = frozenset({"reason", "explanation", "obstacle", "rule"})


def language() -> str:
    """Return the two letters of the active language."""
    return (get_language() or "en")[:2]


def describe(error: type[CloudError], facts: Mapping[str, object]) -> dict[str, object]:
    """Return the public title, text and facts of an error. Facts that the text does not name stay internal."""
    described: dict[str, object] = {
        "code": error.code,
        "title": gettext(error.title),
        "detail": gettext(error.detail).format(**_spoken(facts)),
        "retryable": error.retryable,
    }
    described |= {link: facts[link] for link in LINKS if facts.get(link) is not None}
    if shown := {name: facts[name] for name in _named(error.detail) - PROSE}:
        described["facts"] = dict(sorted(shown.items()))
    return described


def describe_document(document: Mapping[str, object]) -> dict[str, object]:
    """Return the same for a document of CloudError.as_document(), whose error class may have changed since or no longer
    exist.
    """
    facts = _revived(document.get("facts"))
    error = REGISTRY.get(str(document["code"]))
    if error is not None and isinstance(facts, Mapping) and _named(error.detail) <= facts.keys():
        return describe(error, facts)
    return {
        "code": document["code"],
        "title": gettext((error or CloudError).title),
        "detail": document["detail"],
        "retryable": document["retryable"],
    }


def error_from_document(document: Mapping[str, object]) -> CloudError:
    """Rebuild an error from CloudError.as_document(), to raise it in another process with the same class, facts and
    messages. A code that this release does not know becomes an internal error with these facts.
    """
    facts = _revived(document.get("facts") or {})
    error = REGISTRY.get(str(document.get("code")), CloudError)
    return error(**facts) if _named(error.detail) <= facts.keys() else CloudError(**facts)


def _spoken(facts: Mapping[str, object]) -> dict[str, object]:
    suffix = f"_{language()}"
    words = {name: translated(fact) if isinstance(fact, Message) else fact for name, fact in facts.items()}
    rendered = {name.removesuffix(suffix): facts[name] for name in facts if name.endswith(suffix)}
    return words | rendered


def translated(reason: Message) -> str:
    """Return the message in the active language."""
    return gettext(reason.template).format(**_spoken(reason.facts))


def _revived(value: Any) -> Any:
    """Return the facts of a CloudError.as_document(), with its messages rebuilt."""
    if not isinstance(value, Mapping):
        return value
    facts = {name: _revived(fact) for name, fact in value.items()}
    return Message(facts["template"], **facts["facts"]) if facts.keys() == {"template", "facts"} else facts


@cache
def _named(template: str) -> frozenset[str]:
    return frozenset(name for _, name, _, _ in string.Formatter().parse(template) if name)
