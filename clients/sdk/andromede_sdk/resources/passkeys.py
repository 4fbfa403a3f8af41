# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from andromede_sdk import models
from andromede_sdk.resource import Ask, Listing, Moment, Resource


class Passkeys(Resource):
    def list(
        self, *, created_after: Moment | None = None, sort: str | None = None, page_size: int | None = None
    ) -> Listing[models.Passkey]:
        """GET /v1/passkeys

        `created_after`: Created after this time (RFC 3339).
        `sort`: One of -created_at, created_at.
        """
        return Listing(
            self._scope,
            models.Passkey,
            Ask("GET", "/v1/passkeys", query={"created_after": created_after, "sort": sort, "limit": page_size}),
        )

    def register(
        self,
        *,
        ceremony: str,
        credential: Mapping[str, Any],
        name: str,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> models.Passkey:
        """POST /v1/passkeys

        A new passkey. `name`: chosen by the user.
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.Passkey,
            Ask(
                "POST",
                "/v1/passkeys",
                query={"dry_run": dry_run or None},
                body={"ceremony": ceremony, "credential": credential, "name": name},
                key=idempotency_key,
            ),
        )

    def remove(self, passkey: str, *, dry_run: bool = False) -> None:
        """DELETE /v1/passkeys/{passkey}

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return cast(
            "None",
            self._scope.document(
                Ask("DELETE", "/v1/passkeys/{passkey}", names={"passkey": passkey}, query={"dry_run": dry_run or None})
            ),
        )

    def challenge(self, *, dry_run: bool = False, idempotency_key: str | None = None) -> models.Challenge:
        """POST /v1/passkeys/actions/challenge

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.Challenge,
            Ask("POST", "/v1/passkeys/actions/challenge", query={"dry_run": dry_run or None}, key=idempotency_key),
        )
