"""Rules and facts in templates: clauses, values, verdicts."""

import json
from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from controlplane.dashboard import clauses
from controlplane.dashboard.templatetags.dashboard import icon

register = template.Library()


@register.filter
def clause(atom: dict[str, Any]) -> SafeString:
    return clauses.clause_words(atom)


@register.filter
def fact(value: Any) -> SafeString:
    """The value of a fact, or of a clause."""
    return clauses.value_words(value)


@register.filter
def attribute(name: str) -> str:
    return str(clauses.attribute_words(name))


@register.filter
def change(word: str) -> str:
    return str(clauses.CHANGES.get(word, word))


@register.filter
def level(word: str) -> str:
    return str(clauses.LEVELS.get(word, word))


@register.filter
def reason(code: str) -> str:
    return str(clauses.reason_words(code))


@register.filter
def role(word: str) -> str:
    return str(clauses.ROLES.get(word, word))


@register.filter
def party_role(word: str) -> str:
    return str(clauses.PARTY_ROLES.get(word, word))


@register.filter
def assertion(word: str) -> str:
    return str(clauses.ASSERTIONS.get(word, word))


@register.filter
def drift_action(word: str) -> str:
    return str(clauses.DRIFT_ACTIONS.get(word, word))


@register.filter
def as_json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


@register.simple_tag
def verdict(is_admitted: bool) -> SafeString:
    """Of a zone, by word, icon and colour."""
    tone, name, words = ("good", "circle-check", _("admitted")) if is_admitted else ("bad", "circle-x", _("refused"))
    return format_html('<span class="state {}">{}{}</span>', tone, icon(name), words)


@register.simple_tag
def fact_of(subject: dict[str, Any], name: str) -> SafeString:
    """The value of a fact of a zone or party."""
    return clauses.value_words(subject["facts"].get(name))


@register.simple_tag
def fact_text(subject: dict[str, Any], name: str) -> str:
    return str(subject["facts"].get(name) or "")


@register.filter
def record_kind(word: str) -> str:
    return str(clauses.RECORD_KINDS.get(word, word))


@register.filter
def resource_kind(word: str) -> str:
    return str(clauses.RESOURCE_KINDS.get(word, word))


@register.simple_tag
def free(amounts: dict[str, int]) -> int:
    return max(amounts["capacity"] - amounts["used"], 0)
