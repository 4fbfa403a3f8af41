# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from andromede_sdk import models
from andromede_sdk.resource import Ask, Listing, Resource


class Transfers(Resource):
    def list(
        self, *, region: str | None = None, sort: str | None = None, page_size: int | None = None
    ) -> Listing[models.Transfers]:
        """GET /v1/transparency/transfers

        `region`: The zones of this region.
        `sort`: One of id, -id.
        """
        return Listing(
            self._scope,
            models.Transfers,
            Ask("GET", "/v1/transparency/transfers", query={"region": region, "sort": sort, "limit": page_size}),
        )
