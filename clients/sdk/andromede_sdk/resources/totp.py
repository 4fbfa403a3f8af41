# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from typing import cast

from andromede_sdk import models
from andromede_sdk.resource import Ask, Resource


class Totp(Resource):
    def enrol(self, *, dry_run: bool = False, idempotency_key: str | None = None) -> models.Totp:
        """POST /v1/totp

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.Totp, Ask("POST", "/v1/totp", query={"dry_run": dry_run or None}, key=idempotency_key)
        )

    def remove(self, *, dry_run: bool = False) -> None:
        """DELETE /v1/totp

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return cast("None", self._scope.document(Ask("DELETE", "/v1/totp", query={"dry_run": dry_run or None})))

    def confirm(self, *, code: str, dry_run: bool = False, idempotency_key: str | None = None) -> models.RecoveryCodes:
        """POST /v1/totp/actions/confirm

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.RecoveryCodes,
            Ask(
                "POST",
                "/v1/totp/actions/confirm",
                query={"dry_run": dry_run or None},
                body={"code": code},
                key=idempotency_key,
            ),
        )
