# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from typing import Any, cast

from andromede_sdk.resource import Ask, Resource


class Openapi(Resource):
    def get(self) -> dict[str, Any]:
        """GET /v1/openapi.json"""
        return cast("dict[str, Any]", self._scope.document(Ask("GET", "/v1/openapi.json")))
