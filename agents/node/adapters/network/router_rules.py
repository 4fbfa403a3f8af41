"""Rules of the routers, in network namespaces of their own.

The expected rules are remembered, and written again where they are missing or changed.
"""

from dataclasses import dataclass
from typing import Any

from agents.node.adapters.network import nft
from agents.node.adapters.network.layout import Layout
from agents.node.adapters.network.nft_changes import generations
from agents.node.adapters.network.rules_present import rules_present


@dataclass(slots=True)
class _Router:
    """Rules of one router.

    `text`: the expected rules. `seen`: the generation in which it had them. `good`: their listing by the kernel.
    """

    text: str
    seen: int | None = None
    good: dict[str, list[Any]] | None = None


class RouterRules:
    """Rules of all routers. Not thread-safe: the caller holds a lock."""

    def __init__(self) -> None:
        self._routers: dict[Layout, _Router] = {}

    def written(self, layout: Layout, text: str) -> None:
        known = self._routers.get(layout)
        if known is None or known.text != text:
            self._routers[layout] = _Router(text)

    def forget(self, layout: Layout) -> None:
        self._routers.pop(layout, None)

    def keep(self) -> bool:
        """Restore lost rules; returns whether any router had lost its rules. A missing router is not created here.

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
    nft.apply(router.text, namespace=layout.namespace)
    router.good, router.seen = rules_present(namespace=layout.namespace), None  # read again by the next call
    return router.good != before
