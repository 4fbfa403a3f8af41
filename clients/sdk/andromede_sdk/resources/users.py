# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from typing import cast

from andromede_sdk import models
from andromede_sdk.resource import Ask, Listing, Moment, Resource


class Users(Resource):
    def list(
        self,
        *,
        created_after: Moment | None = None,
        email: str | None = None,
        duty: str | None = None,
        state: str | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.Account]:
        """GET /v1/users

        `created_after`: Created after this time (RFC 3339).
        `email`: The user with this e-mail address.
        `duty`: One of operator, support, auditor, none.
        `state`: One of active, suspended, ended.
        `sort`: One of created_at, -created_at, email, -email.
        """
        return Listing(
            self._scope,
            models.Account,
            Ask(
                "GET",
                "/v1/users",
                query={
                    "created_after": created_after,
                    "email": email,
                    "duty": duty,
                    "state": state,
                    "sort": sort,
                    "limit": page_size,
                },
            ),
        )

    def get(self, user: str) -> models.AccountWithActions:
        """GET /v1/users/{user}"""
        return self._scope.one(models.AccountWithActions, Ask("GET", "/v1/users/{user}", names={"user": user}))

    def end(self, user: str, *, dry_run: bool = False, if_match: str | int | None = None) -> None:
        """DELETE /v1/users/{user}

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return cast(
            "None",
            self._scope.document(
                Ask(
                    "DELETE",
                    "/v1/users/{user}",
                    names={"user": user},
                    query={"dry_run": dry_run or None},
                    if_match=if_match,
                )
            ),
        )

    def reinstate(
        self, user: str, *, dry_run: bool = False, if_match: str | int | None = None, idempotency_key: str | None = None
    ) -> models.AccountWithActions:
        """POST /v1/users/{user}/actions/reinstate

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.AccountWithActions,
            Ask(
                "POST",
                "/v1/users/{user}/actions/reinstate",
                names={"user": user},
                query={"dry_run": dry_run or None},
                key=idempotency_key,
                if_match=if_match,
            ),
        )

    def suspend(
        self,
        user: str,
        *,
        reason: str | None = None,
        revoke_tokens: bool | None = None,
        dry_run: bool = False,
        if_match: str | int | None = None,
        idempotency_key: str | None = None,
    ) -> models.AccountWithActions:
        """POST /v1/users/{user}/actions/suspend

        A suspension.

        `reason`: for the audit log of the platform. `revoke_tokens`: also revoke the API tokens that were issued in the
        user's sessions, such as those of service accounts.
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.AccountWithActions,
            Ask(
                "POST",
                "/v1/users/{user}/actions/suspend",
                names={"user": user},
                query={"dry_run": dry_run or None},
                body={"reason": reason, "revoke_tokens": revoke_tokens},
                key=idempotency_key,
                if_match=if_match,
            ),
        )

    def duty_remove(self, user: str, *, dry_run: bool = False, if_match: str | int | None = None) -> None:
        """DELETE /v1/users/{user}/duty

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return cast(
            "None",
            self._scope.document(
                Ask(
                    "DELETE",
                    "/v1/users/{user}/duty",
                    names={"user": user},
                    query={"dry_run": dry_run or None},
                    if_match=if_match,
                )
            ),
        )

    def sessions_end(self, user: str, *, dry_run: bool = False) -> None:
        """DELETE /v1/users/{user}/sessions

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return cast(
            "None",
            self._scope.document(
                Ask("DELETE", "/v1/users/{user}/sessions", names={"user": user}, query={"dry_run": dry_run or None})
            ),
        )
