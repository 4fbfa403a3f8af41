# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from andromede_sdk import models
from andromede_sdk.resource import Ask, Listing, Moment, Resource


class Own(Resource):
    def duty_remove(self, *, dry_run: bool = False) -> None:
        """DELETE /v1/me/duty

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return cast("None", self._scope.document(Ask("DELETE", "/v1/me/duty", query={"dry_run": dry_run or None})))

    def token_list(
        self,
        *,
        created_after: Moment | None = None,
        name: str | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.Token]:
        """GET /v1/tokens

        `created_after`: Created after this time (RFC 3339).
        `name`: The token of this name.
        `sort`: One of created_at, -created_at, name, -name.
        """
        return Listing(
            self._scope,
            models.Token,
            Ask(
                "GET",
                "/v1/tokens",
                query={"created_after": created_after, "name": name, "sort": sort, "limit": page_size},
            ),
        )

    def token_create(
        self,
        *,
        name: str,
        role: str | None = None,
        lifetime_days: int | None = None,
        verbs: Sequence[str] | None = None,
        kinds: Sequence[str] | None = None,
        projects: Sequence[str] | None = None,
        is_platform: bool | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> models.TokenWithSecret:
        """POST /v1/tokens

        The caller's own token. `is_platform`: also for the caller's platform role.
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.TokenWithSecret,
            Ask(
                "POST",
                "/v1/tokens",
                query={"dry_run": dry_run or None},
                body={
                    "name": name,
                    "role": role,
                    "lifetime_days": lifetime_days,
                    "verbs": verbs,
                    "kinds": kinds,
                    "projects": projects,
                    "is_platform": is_platform,
                },
                key=idempotency_key,
            ),
        )

    def token_revoke(self, token: str, *, dry_run: bool = False) -> None:
        """DELETE /v1/tokens/{token}

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return cast(
            "None",
            self._scope.document(
                Ask("DELETE", "/v1/tokens/{token}", names={"token": token}, query={"dry_run": dry_run or None})
            ),
        )
