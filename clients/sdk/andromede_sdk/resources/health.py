# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from andromede_sdk import models
from andromede_sdk.resource import Ask, Resource


class Health(Resource):
    def get(self) -> models.Health:
        """GET /v1/healthz"""
        return self._scope.one(models.Health, Ask("GET", "/v1/healthz"))
