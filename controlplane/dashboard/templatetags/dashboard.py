"""Template tags: icons, states, times, sizes, copy buttons."""

import json
from datetime import datetime
from typing import Any

from django import template
from django.forms.utils import flatatt
from django.templatetags.static import static
from django.urls import resolve, reverse
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from controlplane.dashboard import labels
from controlplane.kernel.ids import new_id

register = template.Library()


@register.simple_tag
def icon(name: str) -> SafeString:
    """Render a decorative icon; text next to it has the meaning."""
    return format_html(
        '<svg class="icon" aria-hidden="true"><use href="{}#{}"></use></svg>', static("dashboard/icons.svg"), name
    )


@register.simple_tag
def state(word: str, of: str = "", whose: str = "") -> SafeString:
    """Render a state with label, icon and colour. `of`: the resource type, for ambiguous states; `whose`: its name,
    so that screen readers announce changes."""
    badge = labels.state_badge(word, of)
    spoken = format_html(' data-announce="{}"', whose) if whose else ""
    return format_html('<span class="state {}"{}>{}{}</span>', badge.tone, spoken, icon(badge.icon), badge.words)


@register.filter
def operation_label(kind: str) -> str:
    return str(labels.operation_label(kind))


@register.filter
def operation_title(operation: dict[str, Any]) -> str:
    return labels.operation_title(operation)


@register.filter
def operation_title_html(operation: dict[str, Any]) -> SafeString:
    """Return the operation's title with its name marked as untranslated."""
    of_id = "" if operation["resource_name"] else mark_safe(' class="mono"')
    subject = format_html(
        '<span{} translate="no" title="{}">{}</span>', of_id, operation["resources"][0], labels.subject(operation)
    )
    return format_html(_("{operation}: {name}"), operation=labels.operation_label(operation["kind"]), name=subject)


@register.filter
def operation_class_label(kind: str) -> str:
    return str(labels.operation_class_label(kind))


@register.filter
def maintenance(action: str) -> str:
    return str(labels.MAINTENANCE.get(action, action))


@register.filter
def plan_action_text(action: str, kind: str = "drain") -> str:
    """Return the label of a planned action by kind of plan."""
    of_kind = labels.RECOVERED if kind == "recover" else labels.PLANNED
    return str(of_kind.get(action, action))


@register.filter
def fence_evidence(kind: str) -> str:
    return str(labels.FENCE_EVIDENCE.get(kind, kind))


@register.filter
def storage_fence_problem(problem: str) -> str:
    return str(labels.STORAGE_FENCE_PROBLEMS.get(problem, problem))


@register.filter
def fallback(name: str) -> str:
    return str(labels.FALLBACKS.get(name, name))


@register.filter
def admin_state_text(name: str) -> str:
    return str(labels.ADMIN_STATE_TEXTS.get(name, name))


@register.filter
def incident(kind: str) -> str:
    return str(labels.incident(kind))


@register.filter
def pool_absence_text(why: str) -> str:
    """Return the label for a node that lacks an expected pool."""
    return str(labels.POOL_ABSENCE_TEXTS[why])


@register.filter
def pool_engine_text(engine: str) -> str:
    return str(labels.POOL_ENGINES[engine])


@register.filter
def pool_purpose(purpose: str) -> str:
    return str(labels.POOL_PURPOSES.get(purpose, purpose))


@register.filter
def address_family(family: str) -> str:
    return labels.FAMILIES.get(family, family)


@register.filter
def orphan(kind: str) -> str:
    return str(labels.ORPHANS.get(kind, kind))


@register.filter
def orphan_request_text(action: str) -> str:
    return str(labels.ORPHAN_REQUEST_TEXTS.get(action, action))


@register.filter
def orphan_state_text(state: str) -> str:
    return str(labels.ORPHAN_STATE_TEXTS.get(state, state))


@register.filter
def moment(value: str | None) -> SafeString:
    """Render a time relative to now, with the full time as its title."""
    if not value:
        return mark_safe("&ndash;")
    at = datetime.fromisoformat(value)
    whole = f"{date_format(localtime(at), 'DATETIME_FORMAT')} UTC"
    return format_html('<time datetime="{}" title="{}" data-relative>{}</time>', value, whole, whole)


@register.filter
def exact(value: str) -> SafeString:
    """Render a time to the second."""
    at = localtime(datetime.fromisoformat(value))
    return format_html(
        '<time datetime="{}">{} UTC</time>', value, f"{date_format(at, 'SHORT_DATE_FORMAT')} {at:%H:%M:%S}"
    )


@register.filter
def day(value: str | None) -> SafeString:
    """Render a time as a date."""
    if not value:
        return mark_safe("&ndash;")
    at = datetime.fromisoformat(value)
    return format_html('<time datetime="{}">{}</time>', value, date_format(localtime(at), "DATE_FORMAT"))


@register.filter
def mib(value: int) -> str:
    """Format a size in MiB, in GiB where it is a whole number."""
    if value >= 1024 and value % 1024 == 0:
        return gib(value // 1024)
    return _("{count} MiB").format(count=value)


@register.filter
def gib(value: int) -> str:
    return _("{count} GiB").format(count=value)


@register.filter
def vcpus(value: int) -> str:
    return ngettext("{count} vCPU", "{count} vCPUs", value).format(count=value)


@register.simple_block_tag(takes_context=True)
def button(
    context: dict[str, Any], content: str, to: str = "", *, right: str = "", look: str = "", why: str = "", **more: str
) -> SafeString:
    """Render a button that sends its form, with `more` as attributes; or, with `to`, a link to a URL or a named page,
    with `more` in its URL. `look`: its classes. It is disabled with a reason if the user lacks the `right`, by default
    that of its target page or of the current one, or if `why` is given."""
    address = to if to.startswith("/") else to and reverse(to, kwargs=more)
    needed_right = right or (_right_at(address) if to else context.get("right", ""))
    refusal = context["rights"].denial_reason(needed_right) or why
    if refusal:
        disabled = (
            '<button{} type="button" aria-disabled="true" title="{}">{}<span class="hidden-text">: {}</span></button>'
        )
        return format_html(disabled, flatatt({"class": look or None}), refusal, content, refusal)
    if to:
        return format_html('<a class="{}" href="{}">{}</a>', f"button {look}".strip(), address, content)
    return format_html("<button{}>{}</button>", flatatt({"class": look or None, **more}), content)


@register.simple_tag(takes_context=True)
def denial_reason(context: dict[str, Any]) -> str:
    """Return why the user may not send the page's form."""
    refusal: str = context["rights"].denial_reason(context["right"])
    return refusal


def _right_at(address: str) -> str:
    match = resolve(address.partition("?")[0])
    return str(match.func.view_class.right_at(match.kwargs))  # type: ignore[attr-defined]


@register.filter
def recorded(value: Any) -> str:
    """Render a recorded value unchanged: a text as it is, others as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


@register.simple_tag
def copy(text: str) -> SafeString:
    """Render a text with a copy button."""
    return format_html(
        '<span class="copied"><code translate="no">{0}</code><button class="plain small" type="button" data-copy="{0}"'
        ' data-copied="{1}" title="{2}" aria-label="{2}: {0}">{3}</button></span>',
        text,
        _("Copied."),
        _("Copy"),
        icon("copy"),
    )


@register.simple_tag
def idempotency_key() -> SafeString:
    """Render the idempotency key of a form that creates a resource."""
    return format_html('<input type="hidden" name="idempotency_key" value="{}">', new_id())


@register.simple_tag(takes_context=True)
def current(context: dict[str, Any], name: str) -> SafeString:
    """Return `aria-current` for the link to the current page."""
    return mark_safe(' aria-current="page"') if context.get("section") == name else mark_safe("")


@register.simple_tag(takes_context=True)
def same_page(context: dict[str, Any], **changed: Any) -> str:
    """Return this page's query with changed parameters; None removes one."""
    query = context["request"].GET.copy()
    for name, value in changed.items():
        query.pop(name, None)
        if value not in (None, ""):
            query[name] = value
    return f"?{query.urlencode()}"
