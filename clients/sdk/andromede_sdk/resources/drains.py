# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from andromede_sdk import models
from andromede_sdk.resource import Ask, Listing, Moment, Resource


class Drains(Resource):
    def list(
        self,
        *,
        kind: str | None = None,
        state: str | None = None,
        zone: str | None = None,
        created_after: Moment | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.DrainSummary]:
        """GET /v1/drains

        `kind`: One of drain, recover.
        `state`: One of running, paused, blocked, done, cancelled.
        `zone`: The drains of nodes of this zone.
        `created_after`: Created after this time (RFC 3339).
        `sort`: One of -created_at, created_at.
        """
        return Listing(
            self._scope,
            models.DrainSummary,
            Ask(
                "GET",
                "/v1/drains",
                query={
                    "kind": kind,
                    "state": state,
                    "zone": zone,
                    "created_after": created_after,
                    "sort": sort,
                    "limit": page_size,
                },
            ),
        )
