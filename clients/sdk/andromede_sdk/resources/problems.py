# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from andromede_sdk import models
from andromede_sdk.resource import Ask, Resource


class Problems(Resource):
    def get(self, code: str) -> models.ProblemPage:
        """GET /v1/problems/{code}"""
        return self._scope.one(models.ProblemPage, Ask("GET", "/v1/problems/{code}", names={"code": code}))
