# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass

from andromede_sdk.model import Model


@dataclass(frozen=True, kw_only=True, eq=False)
class Quotas(Model):
    """Quotas that were set. Other dimensions have the default; `limits_get` shows the limits that apply."""

    version: int
    limits: dict[str, int]
