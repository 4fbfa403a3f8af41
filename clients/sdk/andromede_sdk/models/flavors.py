# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass

from andromede_sdk.model import Model


@dataclass(frozen=True, kw_only=True, eq=False)
class Flavor(Model):
    """A flavor: the size of instances. `max_volumes`: how many volumes they can have beside the root disk."""

    id: str
    vcpus: int
    memory_mib: int
    disk_gib: int
    max_volumes: int
