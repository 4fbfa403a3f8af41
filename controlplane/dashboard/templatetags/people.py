"""What templates say of people and what they may."""

from django import template
from django.utils.translation import gettext as _

from controlplane.dashboard import labels

register = template.Library()


@register.filter
def role(name: str) -> str:
    return str(labels.ROLES.get(name, name)) if name else _("role of the owner")


@register.filter
def methods(names: list[str]) -> str:
    """With what a session was proved; of a provider, its name stands after a colon."""
    kinds = (name.partition(":") for name in names)
    return ", ".join(f"{labels.PROOFS.get(kind, kind)} {which}".strip() for kind, _colon, which in kinds)
