"""Check at start-up that every route has a rule in the authorization table, and every rule a route."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.urls import URLPattern, URLResolver

from controlplane.api.base_views import ActorView, PublicView
from controlplane.identity.authorization_rules import TABLE
from controlplane.identity.authorization_terms import PUBLIC
from controlplane.kernel.views import View


def check(patterns: Sequence[Any]) -> None:
    """Raise ImproperlyConfigured naming all differences."""
    operations = dict(_operations(patterns))
    wrong = [f"{name} has no authorization rule" for name in operations.keys() - TABLE.keys()]
    wrong += [f"{name} is no route" for name in TABLE.keys() - operations.keys()]
    for name in operations.keys() & TABLE.keys():
        view, method = operations[name]
        is_open = issubclass(view, PublicView) or method in getattr(view, "open_methods", ())
        if is_open != (TABLE[name].roles == PUBLIC) or not issubclass(view, PublicView | ActorView):
            wrong.append(f"{name} is not served as the table says")
    if wrong:
        raise ImproperlyConfigured(f"controlplane/identity/authorization_rules.py: {'; '.join(sorted(wrong))}.")


def _operations(patterns: Sequence[Any]) -> Iterator[tuple[str, tuple[type[View], str]]]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from _operations(pattern.url_patterns)
        elif isinstance(pattern, URLPattern):
            view: type[View] = pattern.callback.view_class  # type: ignore[attr-defined]
            for method, served in view.routes().items():
                yield served.operation_id, (view, method.upper())
