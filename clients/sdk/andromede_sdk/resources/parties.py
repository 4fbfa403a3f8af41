# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from andromede_sdk import models
from andromede_sdk.resource import Ask, Listing, Resource


class Parties(Resource):
    def list(
        self, *, name: str | None = None, sort: str | None = None, page_size: int | None = None
    ) -> Listing[models.Party]:
        """GET /v1/parties

        `name`: The party of this name.
        `sort`: One of id, -id.
        """
        return Listing(
            self._scope, models.Party, Ask("GET", "/v1/parties", query={"name": name, "sort": sort, "limit": page_size})
        )

    def get(self, party: str) -> models.Party:
        """GET /v1/parties/{party}"""
        return self._scope.one(models.Party, Ask("GET", "/v1/parties/{party}", names={"party": party}))
