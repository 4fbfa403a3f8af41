# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from andromede_sdk import models
from andromede_sdk.resource import Ask, Listing, Resource


class Regions(Resource):
    def list(self, *, sort: str | None = None, page_size: int | None = None) -> Listing[models.Region]:
        """GET /v1/regions

        `sort`: One of id, -id.
        """
        return Listing(self._scope, models.Region, Ask("GET", "/v1/regions", query={"sort": sort, "limit": page_size}))
