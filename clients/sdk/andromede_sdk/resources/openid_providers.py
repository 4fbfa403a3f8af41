# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from andromede_sdk import models
from andromede_sdk.resource import Ask, Resource


class OpenidProviders(Resource):
    def list(self) -> models.Providers:
        """GET /v1/openid-providers"""
        return self._scope.one(models.Providers, Ask("GET", "/v1/openid-providers"))
