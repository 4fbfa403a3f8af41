# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass

from andromede_sdk.model import Model


@dataclass(frozen=True, kw_only=True, eq=False)
class VolumeType(Model):
    """A volume type. `pool`: the pool of such volumes; empty: the disk of one node."""

    id: str
    description: str
    pool: str
