# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from andromede_sdk import models
from andromede_sdk.resource import Ask, Listing, Resource


class Jurisdictions(Resource):
    def list(
        self, *, region: str | None = None, sort: str | None = None, page_size: int | None = None
    ) -> Listing[models.Jurisdiction]:
        """GET /v1/transparency/jurisdictions

        `region`: The zones of this region.
        `sort`: One of id, -id.
        """
        return Listing(
            self._scope,
            models.Jurisdiction,
            Ask("GET", "/v1/transparency/jurisdictions", query={"region": region, "sort": sort, "limit": page_size}),
        )
