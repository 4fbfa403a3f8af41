"""Every route has a rule in the table of authorization, and every rule a route: otherwise nothing starts."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.urls import URLPattern, URLResolver

from controlplane.identity.api import ActorView, PublicView
from controlplane.identity.authorization import TABLE
from controlplane.identity.rights import PUBLIC
from controlplane.kernel.rest import View


def check(patterns: Sequence[Any]) -> None:
    """Raises ImproperlyConfigured naming everything that is wrong."""
    operations = dict(_operations(patterns))
    wrong = [f"{name} has no rule" for name in operations.keys() - TABLE.keys()]
    wrong += [f"{name} is no route" for name in TABLE.keys() - operations.keys()]
    for name in operations.keys() & TABLE.keys():
        base = PublicView if TABLE[name].roles == PUBLIC else ActorView
        if not issubclass(operations[name], base):
            wrong.append(f"{name} is served by no {base.__name__}")
    if wrong:
        raise ImproperlyConfigured(f"controlplane/identity/authorization.py: {'; '.join(sorted(wrong))}.")


def _operations(patterns: Sequence[Any]) -> Iterator[tuple[str, type[View]]]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from _operations(pattern.url_patterns)
        elif isinstance(pattern, URLPattern):
            view: type[View] = pattern.callback.view_class  # type: ignore[attr-defined]
            for method in View.http_method_names:
                handler = getattr(view, method, None)
                if handler is not None:
                    yield handler.route.operation_id, view
