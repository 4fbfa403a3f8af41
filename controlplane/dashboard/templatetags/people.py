"""Template tags for users and roles."""

from django import template
from django.utils.translation import gettext as _

from controlplane.dashboard import labels

register = template.Library()


@register.filter
def role(name: str) -> str:
    return str(labels.ROLES.get(name, name)) if name else _("role of the owner")


@register.filter
def methods(names: list[str]) -> str:
    """Return the labels of a session's sign-in methods; a provider's name follows a colon."""
    kinds = (name.partition(":") for name in names)
    return ", ".join(f"{labels.PROOFS.get(kind, kind)} {which}".strip() for kind, _colon, which in kinds)
