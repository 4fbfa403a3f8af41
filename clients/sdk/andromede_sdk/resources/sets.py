# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from andromede_sdk import models
from andromede_sdk.resource import Ask, Listing, Resource


class Sets(Resource):
    def list(
        self, *, kind: str | None = None, sort: str | None = None, page_size: int | None = None
    ) -> Listing[models.NamedSet]:
        """GET /v1/sets

        `kind`: One of set, scheme_class.
        `sort`: One of name, -name.
        """
        return Listing(
            self._scope, models.NamedSet, Ask("GET", "/v1/sets", query={"kind": kind, "sort": sort, "limit": page_size})
        )
