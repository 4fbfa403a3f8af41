# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from andromede_sdk.model import Model


@dataclass(frozen=True, kw_only=True, eq=False)
class NamedSet(Model):
    """The present version of a named set. `kind`: the kind of its members, territories or certification schemes."""

    name: str
    kind: str  # set, scheme_class
    members: list[str] | None
    valid_from: datetime
    valid_to: datetime | None
    review_by: datetime
