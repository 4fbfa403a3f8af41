"""What is known of a zone. Standard library only: nodes run this too."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

ZoneStatus = Literal["open", "draining", "closed"]


@dataclass(frozen=True, slots=True)
class ZoneFacts:
    """`attributes`: values by attribute name. What is missing or None is unknown, and unknown refuses."""

    id: str
    status: ZoneStatus
    attributes: Mapping[str, object] = field(default_factory=dict)

    def value(self, attribute: str) -> object | None:
        """None when unknown. The id has one source, so that no attribute can pretend to be another zone."""
        return self.id if attribute == "zone.id" else self.attributes.get(attribute)
