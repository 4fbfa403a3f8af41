# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from typing import BinaryIO

from andromede_sdk import models
from andromede_sdk.resource import Ask, Moment, Resource


class EvidenceExports(Resource):
    def get(self, export: str) -> models.Export:
        """GET /v1/evidence-exports/{export}"""
        return self._scope.one(models.Export, Ask("GET", "/v1/evidence-exports/{export}", names={"export": export}))

    def file(self, export: str, to: BinaryIO) -> int:
        """GET /v1/evidence-exports/{export}/file"""
        return self._scope.download(Ask("GET", "/v1/evidence-exports/{export}/file", names={"export": export}), to)

    def create(
        self, organization: str, *, from_: Moment, to: Moment, dry_run: bool = False, idempotency_key: str | None = None
    ) -> models.Export:
        """POST /v1/organizations/{organization}/evidence-exports

        A request for an evidence export. `to` is exclusive and must be in the past.
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.Export,
            Ask(
                "POST",
                "/v1/organizations/{organization}/evidence-exports",
                names={"organization": organization},
                query={"dry_run": dry_run or None},
                body={"from": from_, "to": to},
                key=idempotency_key,
            ),
        )
