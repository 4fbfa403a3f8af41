# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from andromede_sdk import models
from andromede_sdk.resource import Ask, Resource


class PasskeySessions(Resource):
    def create(
        self, *, ceremony: str, credential: Mapping[str, Any], dry_run: bool = False, idempotency_key: str | None = None
    ) -> models.SessionWithSecret:
        """POST /v1/passkey-sessions

        A response of a passkey. `credential` is the result of navigator.credentials, as its toJSON() writes it.
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.SessionWithSecret,
            Ask(
                "POST",
                "/v1/passkey-sessions",
                query={"dry_run": dry_run or None},
                body={"ceremony": ceremony, "credential": credential},
                key=idempotency_key,
            ),
        )
