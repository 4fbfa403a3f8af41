"""Template tags for instances and volumes."""

from typing import Any

from django import template
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from controlplane.dashboard import labels, zone_verdicts
from controlplane.dashboard.snapshot_schedule_texts import describe_times
from controlplane.dashboard.templatetags.dashboard import gib, mib
from controlplane.dashboard.volume_type_texts import describe_limits

register = template.Library()


@register.filter
def metadata_label(access: str) -> str:
    return str(labels.METADATA_ACCESS.get(access, access))


@register.filter
def guest_agent_label(state: str) -> str:
    return str(labels.GUEST_AGENTS.get(state, state))


@register.filter
def limits_label(limits: dict[str, int | None]) -> str:
    return describe_limits(limits)


@register.filter
def schedule_text(schedule: dict[str, Any]) -> str:
    return describe_times(schedule)


@register.filter
def consistency_text(consistency: str) -> str:
    """Return in plain words which writes a snapshot contains."""
    return str(labels.CONSISTENCIES.get(consistency, consistency))


@register.filter
def restart_policy_label(policy: str) -> str:
    return str(labels.RESTART_POLICIES.get(policy, policy))


@register.filter
def amount(value: int, dimension: str) -> str:
    """Format a quota amount in its unit and the user's language."""
    if dimension.endswith("_mib") and value < 1024:
        return mib(value)
    if dimension.endswith("_mib"):
        return _("{count} GiB").format(
            count=number_format(value / 1024, decimal_pos=1 if value % 1024 else 0, force_grouping=True)
        )
    if dimension.endswith("_gib"):
        return gib(number_format(value, force_grouping=True))  # type: ignore[arg-type]
    return number_format(value, force_grouping=True)


@register.simple_tag(takes_context=True)
def sorted_head(context: dict[str, Any], name: str, words: str, default: str = "name") -> SafeString:
    """Render a column head as a link that sorts by it, or reverses the order."""
    request = context["request"]
    present = request.GET.get("sort") or default
    order = {name: "ascending", f"-{name}": "descending"}.get(present, "none")
    query = request.GET.copy()
    query.pop("page_token", None)
    query["sort"] = f"-{name}" if present == name else name
    arrow = {"ascending": "↑", "descending": "↓"}.get(order, "")
    return format_html(
        '<th scope="col" aria-sort="{}"><a href="?{}">{} <span aria-hidden="true">{}</span></a></th>',
        order,
        query.urlencode(),
        words,
        arrow,
    )


ROLES = {
    "compute": gettext_lazy("Memory and processors"),
    "storage": gettext_lazy("Disk"),
    "image": gettext_lazy("Image"),
    "netedge": gettext_lazy("Network"),
    "snapshot": gettext_lazy("Snapshot"),
    "trash": gettext_lazy("In the trash"),
}


@register.filter
def role(word: str) -> str:
    """Return the label of a data role."""
    return str(ROLES.get(word, word))


@register.filter
def reason_text(code: str) -> str:
    """Return the label of a placement reason."""
    return str(zone_verdicts.reason_text(code))
