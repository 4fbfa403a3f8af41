# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from andromede_sdk import models
from andromede_sdk.resource import Ask, Resource


class Catalogue(Resource):
    def get(self) -> models.Catalogue:
        """GET /v1/catalogue"""
        return self._scope.one(models.Catalogue, Ask("GET", "/v1/catalogue"))
