# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass

from andromede_sdk.model import Model


@dataclass(frozen=True, kw_only=True, eq=False)
class Platform(Model):
    os: str
    arch: str
