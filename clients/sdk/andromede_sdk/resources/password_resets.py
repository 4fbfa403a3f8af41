# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from typing import cast

from andromede_sdk import models
from andromede_sdk.resource import Ask, Listing, Moment, Resource


class PasswordResets(Resource):
    def list(
        self, *, created_after: Moment | None = None, sort: str | None = None, page_size: int | None = None
    ) -> Listing[models.PasswordReset]:
        """GET /v1/password-resets

        `created_after`: Created after this time (RFC 3339).
        `sort`: One of -created_at, created_at.
        """
        return Listing(
            self._scope,
            models.PasswordReset,
            Ask("GET", "/v1/password-resets", query={"created_after": created_after, "sort": sort, "limit": page_size}),
        )

    def get(self, reset: str) -> models.PasswordReset:
        """GET /v1/password-resets/{reset}"""
        return self._scope.one(models.PasswordReset, Ask("GET", "/v1/password-resets/{reset}", names={"reset": reset}))

    def withdraw(self, reset: str, *, dry_run: bool = False) -> None:
        """DELETE /v1/password-resets/{reset}

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return cast(
            "None",
            self._scope.document(
                Ask("DELETE", "/v1/password-resets/{reset}", names={"reset": reset}, query={"dry_run": dry_run or None})
            ),
        )

    def confirm(
        self, reset: str, *, dry_run: bool = False, idempotency_key: str | None = None
    ) -> models.PasswordResetLink:
        """POST /v1/password-resets/{reset}/actions/confirm

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.PasswordResetLink,
            Ask(
                "POST",
                "/v1/password-resets/{reset}/actions/confirm",
                names={"reset": reset},
                query={"dry_run": dry_run or None},
                key=idempotency_key,
            ),
        )

    def create(self, user: str, *, dry_run: bool = False, idempotency_key: str | None = None) -> models.PasswordReset:
        """POST /v1/users/{user}/password-resets

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.PasswordReset,
            Ask(
                "POST",
                "/v1/users/{user}/password-resets",
                names={"user": user},
                query={"dry_run": dry_run or None},
                key=idempotency_key,
            ),
        )
