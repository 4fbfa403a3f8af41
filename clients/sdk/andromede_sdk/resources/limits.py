# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from andromede_sdk import models
from andromede_sdk.resource import Ask, Resource


class Limits(Resource):
    def get(self) -> models.Limits:
        """GET /v1/projects/{project}/limits"""
        return self._scope.one(models.Limits, Ask("GET", "/v1/projects/{project}/limits"))
