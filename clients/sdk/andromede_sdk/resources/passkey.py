# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from andromede_sdk import models
from andromede_sdk.resource import Ask, Resource


class Passkey(Resource):
    def sign_in_challenge(self, *, dry_run: bool = False, idempotency_key: str | None = None) -> models.Challenge:
        """POST /v1/passkey-sessions/actions/challenge

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.Challenge,
            Ask(
                "POST",
                "/v1/passkey-sessions/actions/challenge",
                query={"dry_run": dry_run or None},
                key=idempotency_key,
            ),
        )
