# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from andromede_sdk import models
from andromede_sdk.resource import Ask, Resource


class Decisions(Resource):
    def get(self, decision: str) -> models.Decision:
        """GET /v1/projects/{project}/decisions/{decision}"""
        return self._scope.one(
            models.Decision, Ask("GET", "/v1/projects/{project}/decisions/{decision}", names={"decision": decision})
        )
