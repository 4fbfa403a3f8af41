"""Errors in the language of whoever reads them. The English template is the key of its translations.

A fact that is a Reason is said in that language too. A fact `explanation_fr` stands in for `explanation` where French
is spoken: what is rendered by other means comes in all languages at once.
"""

import string
from collections.abc import Mapping
from functools import cache
from typing import Any

from django.utils.translation import get_language, gettext

from andromede_core.documents.messages import Reason
from controlplane.kernel.errors import REGISTRY, CloudError

LINKS = ("blocking_operation", "placement_decision")
# Facts that are words themselves: nothing for programs.
PROSE = frozenset({"reason", "explanation", "obstacle", "rule"})


def language() -> str:
    """The two letters of the language that is spoken now."""
    return (get_language() or "en")[:2]


def describe(error: type[CloudError], facts: Mapping[str, object]) -> dict[str, object]:
    """The words and data of an error that anybody may see. Facts that its sentence does not name stay inside."""
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
    """The same of what CloudError.as_document() made, perhaps of an error that has changed since or is gone."""
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
    """The error that CloudError.as_document() was made of, to raise it in another process: with the same class, facts
    and reasons. One that is not known here, as of another release, becomes an internal error with these facts."""
    facts = _revived(document.get("facts") or {})
    error = REGISTRY.get(str(document.get("code")), CloudError)
    return error(**facts) if _named(error.detail) <= facts.keys() else CloudError(**facts)


def _spoken(facts: Mapping[str, object]) -> dict[str, object]:
    suffix = f"_{language()}"
    words = {name: _translated(fact) if isinstance(fact, Reason) else fact for name, fact in facts.items()}
    rendered = {name.removesuffix(suffix): facts[name] for name in facts if name.endswith(suffix)}
    return words | rendered


def _translated(reason: Reason) -> str:
    return gettext(reason.template).format(**_spoken(reason.facts))


def _revived(value: Any) -> Any:
    """Facts with the reasons among them, of what CloudError.as_document() wrote."""
    if not isinstance(value, Mapping):
        return value
    facts = {name: _revived(fact) for name, fact in value.items()}
    return Reason(facts["template"], **facts["facts"]) if facts.keys() == {"template", "facts"} else facts


@cache
def _named(template: str) -> frozenset[str]:
    return frozenset(name for _, name, _, _ in string.Formatter().parse(template) if name)
