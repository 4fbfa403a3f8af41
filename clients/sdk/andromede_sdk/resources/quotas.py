# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from andromede_sdk import models
from andromede_sdk.resource import Ask, Resource


class Quotas(Resource):
    def get(self) -> models.Quotas:
        """GET /v1/projects/{project}/quotas"""
        return self._scope.one(models.Quotas, Ask("GET", "/v1/projects/{project}/quotas"))

    def set(self, *, limits: models.QuotaLimitsInput, if_match: str | int, dry_run: bool = False) -> models.Quotas:
        """PUT /v1/projects/{project}/quotas

        Quotas to set. Dimensions that are not named get the default.
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.Quotas,
            Ask(
                "PUT",
                "/v1/projects/{project}/quotas",
                query={"dry_run": dry_run or None},
                body={"limits": limits},
                if_match=if_match,
            ),
        )
