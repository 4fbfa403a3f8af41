"""Whether the routers have their rules, which stand in network namespaces of their own: what was written is remembered,
and written again where it is gone or changed."""

from dataclasses import dataclass
from typing import Any

from agents.node.adapters.network.layout import Layout
from agents.node.adapters.network.nft_changes import generations
from agents.node.adapters.network.rules_present import rules_present
from agents.node.adapters.network.tools import nft


@dataclass(slots=True)
class _Router:
    """`text`: what it is to have. `seen`: the generation in which it had that. `good`: what the kernel tells then."""

    text: str
    seen: int | None = None
    good: dict[str, list[Any]] | None = None


class RouterRules:
    """Not thread-safe: the caller holds a lock."""

    def __init__(self) -> None:
        self._routers: dict[Layout, _Router] = {}

    def written(self, layout: Layout, text: str) -> None:
        known = self._routers.get(layout)
        if known is None or known.text != text:
            self._routers[layout] = _Router(text)

    def forget(self, layout: Layout) -> None:
        self._routers.pop(layout, None)

    def keep(self) -> bool:
        """Whether any router had lost its rules: they are there again. One that is gone itself is left to who makes it
        again.

        Raises:
            AdapterError: they cannot be written.
        """
        now = generations(layout.namespace for layout in self._routers)
        lost = [
            layout
            for layout, router in self._routers.items()
            if (number := now.get(layout.namespace)) not in (None, router.seen) and _is_lost(layout, router, number)
        ]
        return bool(lost)


def _is_lost(layout: Layout, router: _Router, now: int | None) -> bool:
    before = rules_present(namespace=layout.namespace)
    if before == router.good:
        router.seen = now
        return False
    nft(router.text, namespace=layout.namespace)
    router.good, router.seen = rules_present(namespace=layout.namespace), None  # looked at once more
    return router.good != before
