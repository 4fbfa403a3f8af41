# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from andromede_sdk import models
from andromede_sdk.resource import Ask, Resource


class Sign(Resource):
    def in_methods(self) -> models.Methods:
        """GET /v1/sign-in-methods"""
        return self._scope.one(models.Methods, Ask("GET", "/v1/sign-in-methods"))
