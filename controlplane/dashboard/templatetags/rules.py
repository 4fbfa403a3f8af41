"""Template tags for clauses, facts and verdicts."""

import json
from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from controlplane.dashboard import clause_labels
from controlplane.dashboard.templatetags.dashboard import icon

register = template.Library()


@register.filter
def clause(clause: dict[str, Any]) -> SafeString:
    return clause_labels.clause_html(clause)


@register.filter
def vocabulary_label(name: str, of: str) -> str:
    """Return the label of a value in a vocabulary (clause_labels): {{ each.level|word:"level" }}."""
    return str(clause_labels.vocabulary_label(of, name))


@register.filter
def fact(value: Any) -> SafeString:
    """Render the value of a fact or a clause."""
    return clause_labels.value_html(value)


@register.filter
def as_json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


@register.simple_tag
def verdict(is_admitted: bool) -> SafeString:
    """Render a zone's verdict with label, icon and colour."""
    tone, name, words = ("good", "circle-check", _("admitted")) if is_admitted else ("bad", "circle-x", _("refused"))
    return format_html('<span class="state {}">{}{}</span>', tone, icon(name), words)


@register.simple_tag
def fact_of(subject: dict[str, Any], name: str) -> SafeString:
    """Render the value of a fact of a zone or party."""
    return clause_labels.value_html(subject["facts"].get(name))


@register.simple_tag
def fact_text(subject: dict[str, Any], name: str) -> str:
    return str(subject["facts"].get(name) or "")


@register.simple_tag
def free_amount(amounts: dict[str, int]) -> int:
    return max(amounts["capacity"] - amounts["used"], 0)
