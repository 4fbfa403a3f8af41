# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from andromede_sdk import models
from andromede_sdk.resource import Ask, Listing, Moment, Resource


class Maintenance(Resource):
    def list(
        self,
        *,
        state: str | None = None,
        created_after: Moment | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.Maintenance]:
        """GET /v1/maintenance

        `state`: One of active, coming, ended.
        `created_after`: Created after this time (RFC 3339).
        `sort`: One of -created_at, created_at.
        """
        return Listing(
            self._scope,
            models.Maintenance,
            Ask(
                "GET",
                "/v1/maintenance",
                query={"state": state, "created_after": created_after, "sort": sort, "limit": page_size},
            ),
        )

    def create(
        self,
        *,
        kind: str,
        action: str,
        reason: str,
        zone: str | None = None,
        node: str | None = None,
        begins_at: str | None = None,
        ends_at: str | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> models.Maintenance:
        """POST /v1/maintenance

        A new maintenance rule.

        `kind`: a kind of operation such as instance.create, all kinds of a noun (volume.*), or *. Deletions, shutdowns and
        power-offs must be named to be included. `zone`, `node`: limits the rule to resources there. `begins_at`: now by
        default; `ends_at`: by default, until an operator ends the rule.
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.Maintenance,
            Ask(
                "POST",
                "/v1/maintenance",
                query={"dry_run": dry_run or None},
                body={
                    "kind": kind,
                    "action": action,
                    "reason": reason,
                    "zone": zone,
                    "node": node,
                    "begins_at": begins_at,
                    "ends_at": ends_at,
                },
                key=idempotency_key,
            ),
        )

    def get(self, maintenance: str) -> models.Maintenance:
        """GET /v1/maintenance/{maintenance}"""
        return self._scope.one(
            models.Maintenance, Ask("GET", "/v1/maintenance/{maintenance}", names={"maintenance": maintenance})
        )

    def end(self, maintenance: str, *, dry_run: bool = False, idempotency_key: str | None = None) -> models.Maintenance:
        """POST /v1/maintenance/{maintenance}/actions/end

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.Maintenance,
            Ask(
                "POST",
                "/v1/maintenance/{maintenance}/actions/end",
                names={"maintenance": maintenance},
                query={"dry_run": dry_run or None},
                key=idempotency_key,
            ),
        )
