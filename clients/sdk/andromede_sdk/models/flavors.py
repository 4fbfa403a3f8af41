# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass

from andromede_sdk.model import Model


@dataclass(frozen=True, kw_only=True, eq=False)
class Flavor(Model):
    id: str
    vcpus: int
    memory_mib: int
    disk_gib: int
