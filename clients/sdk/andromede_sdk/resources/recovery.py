# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from andromede_sdk import models
from andromede_sdk.resource import Ask, Resource


class Recovery(Resource):
    def codes_replace(self, *, dry_run: bool = False, idempotency_key: str | None = None) -> models.RecoveryCodes:
        """POST /v1/recovery-codes

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.RecoveryCodes,
            Ask("POST", "/v1/recovery-codes", query={"dry_run": dry_run or None}, key=idempotency_key),
        )
