# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from andromede_sdk import models
from andromede_sdk.resource import Ask, Resource


class PasswordLinks(Resource):
    def create(self, user: str, *, dry_run: bool = False, idempotency_key: str | None = None) -> models.PasswordLink:
        """POST /v1/users/{user}/password-links

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.PasswordLink,
            Ask(
                "POST",
                "/v1/users/{user}/password-links",
                names={"user": user},
                query={"dry_run": dry_run or None},
                key=idempotency_key,
            ),
        )
