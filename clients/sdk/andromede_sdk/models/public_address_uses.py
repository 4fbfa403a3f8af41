# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from andromede_sdk.model import Model

if TYPE_CHECKING:
    from andromede_sdk.models.common import Named


@dataclass(frozen=True, kw_only=True, eq=False)
class PublicAddressUse(Model):
    """A period in which a port or a network had a public address. `until` null: it lasts.

    `network`: which had it as its egress address; null: a port had it. `port` null: a network had it. `instance` null:
    the port was free."""

    id: str
    ip: str
    public_address: str
    project: Named
    port: str | None
    network: str | None
    instance: str | None
    since: datetime
    until: datetime | None
