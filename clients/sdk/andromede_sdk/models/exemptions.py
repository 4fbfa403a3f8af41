# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from andromede_sdk.model import Model


@dataclass(frozen=True, kw_only=True, eq=False)
class ExemptedClause(Model):
    """An exempted clause. `clause`: policy/clause, which would have refused."""

    clause: str
    approved: int
    uses: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Exemption(Model):
    """An exemption. `to_sign`: per role the bytes to sign (base64), for callers who may approve it."""

    id: str
    project: str
    resource_ids: list[str]
    operation: str
    zone: str
    waived: list[str]
    reason: str
    requested_by: str
    not_before: datetime
    expires_at: datetime
    max_uses: int
    use_count: int
    approvals: list[ExemptionApproval]
    to_sign: dict[str, str]


@dataclass(frozen=True, kw_only=True, eq=False)
class ExemptionApproval(Model):
    approver: str
    duty: str  # sovereignty_officer, duty_operator
    key_id: str


@dataclass(frozen=True, kw_only=True, eq=False)
class ExemptionReport(Model):
    """Figures of the exemptions that the caller sees.

    `approved`: those that two people signed and that were valid at some time of the quarter; `duration_s`: their total
    duration within the quarter. `used`: how many of them were used, `uses`: how often."""

    quarter: str
    begins_at: datetime
    ends_at: datetime
    asked: int
    approved: int
    duration_s: int
    used: int
    uses: int
    clauses: list[ExemptedClause]
