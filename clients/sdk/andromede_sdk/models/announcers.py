# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from andromede_sdk.model import Model


@dataclass(frozen=True, kw_only=True, eq=False)
class Announcer(Model):
    """An announcer, with its last report.

    `document_version`: of the zone's newest document; `version`: of the announcer's; `applied_version`: of the one that
    BIRD announces. `route_count`: of BIRD. `sessions`: with routers. `problem`: a kind of its incidents; empty: it
    announces the newest document. Without a certificate it is not called."""

    id: str
    name: str
    zone: str
    address: str
    certificate_expires_at: datetime | None
    last_seen_at: datetime | None
    software_version: str
    document_version: int
    version: int
    applied_version: int
    document_route_count: int
    route_count: int
    sessions: Any
    problem: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, kw_only=True, eq=False)
class AnnouncerIncident(Model):
    """An incident of the announcer: a problem, from its first observation on.

    `ended_at`: since when it is no longer observed."""

    id: str
    kind: str  # silent, refused, behind, no-session, bird-silent, bird-refused, bird-differs
    created_at: datetime
    seen_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, kw_only=True, eq=False)
class AnnouncerSessions(Model):
    total: int
    established: int
