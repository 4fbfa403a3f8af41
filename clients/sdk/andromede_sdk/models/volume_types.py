# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass

from andromede_sdk.model import Model


@dataclass(frozen=True, kw_only=True, eq=False)
class VolumeType(Model):
    """`pool`: the shared storage that such volumes are kept in; empty: on the disk of one node."""

    id: str
    description: str
    pool: str
