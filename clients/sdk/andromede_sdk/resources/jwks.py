# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from andromede_sdk import models
from andromede_sdk.resource import Ask, Resource


class Jwks(Resource):
    def get(self) -> models.JsonWebKeySet:
        """GET /.well-known/jwks.json"""
        return self._scope.one(models.JsonWebKeySet, Ask("GET", "/.well-known/jwks.json"))
