# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass

from andromede_sdk.model import Model


@dataclass(frozen=True, kw_only=True, eq=False)
class Flavor(Model):
    """A flavor: the size of instances.

    `disk_gib`: of the root disk; 0: none, its instances boot from a volume that exists (`boot_volume`). `max_volumes`:
    how many volumes they can have beside the root disk."""

    id: str
    vcpus: int
    memory_mib: int
    disk_gib: int
    max_volumes: int
