# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from collections.abc import Sequence

from andromede_sdk import models
from andromede_sdk.resource import Ask, Resource


class Declassifications(Resource):
    def propose(
        self,
        organization: str,
        *,
        resource: str,
        reason: str,
        classifications: Sequence[str] | None = None,
        lineage: Sequence[str] | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> models.Proposal:
        """POST /v1/organizations/{organization}/declassifications

        A request to remove classifications from the data of one resource.
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.Proposal,
            Ask(
                "POST",
                "/v1/organizations/{organization}/declassifications",
                names={"organization": organization},
                query={"dry_run": dry_run or None},
                body={"resource": resource, "classifications": classifications, "lineage": lineage, "reason": reason},
                key=idempotency_key,
            ),
        )
