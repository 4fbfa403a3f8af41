# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from andromede_sdk import models
from andromede_sdk.resource import Ask, Listing, Resource


class VolumeTypes(Resource):
    def list(self, *, sort: str | None = None, page_size: int | None = None) -> Listing[models.VolumeType]:
        """GET /v1/volume-types

        `sort`: One of id, -id.
        """
        return Listing(
            self._scope, models.VolumeType, Ask("GET", "/v1/volume-types", query={"sort": sort, "limit": page_size})
        )
