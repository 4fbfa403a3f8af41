# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from andromede_sdk import models
from andromede_sdk.resource import Ask, Listing, Moment, Resource


class Incidents(Resource):
    def list(
        self,
        *,
        kind: str | None = None,
        created_after: Moment | None = None,
        zone: str | None = None,
        state: str | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.IncidentOfNode]:
        """GET /v1/incidents

        `kind`: The incidents of this kind.
        `created_after`: Created after this time (RFC 3339).
        `zone`: The incidents on nodes of this zone.
        `state`: One of open, ended.
        `sort`: One of -created_at, created_at.
        """
        return Listing(
            self._scope,
            models.IncidentOfNode,
            Ask(
                "GET",
                "/v1/incidents",
                query={
                    "kind": kind,
                    "created_after": created_after,
                    "zone": zone,
                    "state": state,
                    "sort": sort,
                    "limit": page_size,
                },
            ),
        )
