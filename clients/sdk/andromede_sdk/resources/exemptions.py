# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from andromede_sdk import models
from andromede_sdk.resource import Ask, Listing, Moment, Resource


class Exemptions(Resource):
    def list(
        self,
        *,
        zone: str | None = None,
        created_after: Moment | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.Exemption]:
        """GET /v1/exemptions

        `zone`: Exemptions for this zone.
        `created_after`: Created after this time (RFC 3339).
        `sort`: One of -created_at, created_at.
        """
        return Listing(
            self._scope,
            models.Exemption,
            Ask(
                "GET",
                "/v1/exemptions",
                query={"zone": zone, "created_after": created_after, "sort": sort, "limit": page_size},
            ),
        )

    def request(
        self,
        *,
        decision: str,
        zone: str,
        reason: str,
        hours: int | None = None,
        max_uses: int | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> models.Exemption:
        """POST /v1/exemptions

        A request for an exemption. `decision`: the refused placement decision to override.
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.Exemption,
            Ask(
                "POST",
                "/v1/exemptions",
                query={"dry_run": dry_run or None},
                body={"decision": decision, "zone": zone, "reason": reason, "hours": hours, "max_uses": max_uses},
                key=idempotency_key,
            ),
        )

    def get(self, exemption: str) -> models.Exemption:
        """GET /v1/exemptions/{exemption}"""
        return self._scope.one(
            models.Exemption, Ask("GET", "/v1/exemptions/{exemption}", names={"exemption": exemption})
        )

    def approve(
        self,
        exemption: str,
        *,
        duty: str,
        key_id: str,
        signature: str,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> models.Exemption:
        """POST /v1/exemptions/{exemption}/actions/approve

        An approval.

        `signature`: of the bytes in the exemption's `to_sign` for the role, by the approver's own key, in base64.
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.Exemption,
            Ask(
                "POST",
                "/v1/exemptions/{exemption}/actions/approve",
                names={"exemption": exemption},
                query={"dry_run": dry_run or None},
                body={"duty": duty, "key_id": key_id, "signature": signature},
                key=idempotency_key,
            ),
        )

    def report(self, *, quarter: str | None = None) -> models.ExemptionReport:
        """GET /v1/exemptions/report

        `quarter`: A quarter such as 2026-Q4; the present one by default.
        """
        return self._scope.one(models.ExemptionReport, Ask("GET", "/v1/exemptions/report", query={"quarter": quarter}))
