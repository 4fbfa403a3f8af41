# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from andromede_sdk import models
from andromede_sdk.resource import Ask, Listing, Resource


class Flavors(Resource):
    def list(self, *, sort: str | None = None, page_size: int | None = None) -> Listing[models.Flavor]:
        """GET /v1/flavors

        `sort`: One of id, -id.
        """
        return Listing(self._scope, models.Flavor, Ask("GET", "/v1/flavors", query={"sort": sort, "limit": page_size}))
