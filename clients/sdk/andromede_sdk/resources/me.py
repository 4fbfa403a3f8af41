# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from andromede_sdk import models
from andromede_sdk.resource import Ask, Resource


class Me(Resource):
    def get(self) -> models.Me:
        """GET /v1/me"""
        return self._scope.one(models.Me, Ask("GET", "/v1/me"))
