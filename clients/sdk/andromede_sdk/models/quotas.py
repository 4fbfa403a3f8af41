# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass

from andromede_sdk.model import Model


@dataclass(frozen=True, kw_only=True, eq=False)
class Quotas(Model):
    """The limits that were set. What is not among them has the default; the limits that apply are in `limits_get`."""

    version: int
    limits: dict[str, int]
