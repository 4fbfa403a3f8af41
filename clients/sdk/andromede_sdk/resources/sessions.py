# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from typing import cast

from andromede_sdk import models
from andromede_sdk.resource import Ask, Listing, Moment, Resource


class Sessions(Resource):
    def list(
        self, *, created_after: Moment | None = None, sort: str | None = None, page_size: int | None = None
    ) -> Listing[models.Session]:
        """GET /v1/sessions

        `created_after`: Created after this time (RFC 3339).
        `sort`: One of -created_at, created_at.
        """
        return Listing(
            self._scope,
            models.Session,
            Ask("GET", "/v1/sessions", query={"created_after": created_after, "sort": sort, "limit": page_size}),
        )

    def create(
        self,
        *,
        email: str,
        password: str,
        totp: str | None = None,
        recovery_code: str | None = None,
        passkey: models.PasskeyAnswerInput | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> models.SessionWithSecret:
        """POST /v1/sessions

        A sign-in, with a second factor if the account has one.
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.SessionWithSecret,
            Ask(
                "POST",
                "/v1/sessions",
                query={"dry_run": dry_run or None},
                body={
                    "email": email,
                    "password": password,
                    "totp": totp,
                    "recovery_code": recovery_code,
                    "passkey": passkey,
                },
                key=idempotency_key,
            ),
        )

    def get(self, session: str) -> models.Session:
        """GET /v1/sessions/{session}"""
        return self._scope.one(models.Session, Ask("GET", "/v1/sessions/{session}", names={"session": session}))

    def end(self, session: str, *, dry_run: bool = False) -> None:
        """DELETE /v1/sessions/{session}

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return cast(
            "None",
            self._scope.document(
                Ask("DELETE", "/v1/sessions/{session}", names={"session": session}, query={"dry_run": dry_run or None})
            ),
        )

    def end_others(
        self, *, revoke_tokens: bool | None = None, dry_run: bool = False, idempotency_key: str | None = None
    ) -> None:
        """POST /v1/sessions/actions/end-others

        End the other sessions. `revoke_tokens`: also revoke the API tokens that were issued in the user's sessions.
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return cast(
            "None",
            self._scope.document(
                Ask(
                    "POST",
                    "/v1/sessions/actions/end-others",
                    query={"dry_run": dry_run or None},
                    body={"revoke_tokens": revoke_tokens},
                    key=idempotency_key,
                )
            ),
        )

    def verify(
        self,
        *,
        password: str | None = None,
        totp: str | None = None,
        recovery_code: str | None = None,
        passkey: models.PasskeyAnswerInput | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> models.Session:
        """POST /v1/sessions/actions/verify

        A proof of identity: a second factor; for a user without one, the password.
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.Session,
            Ask(
                "POST",
                "/v1/sessions/actions/verify",
                query={"dry_run": dry_run or None},
                body={"password": password, "totp": totp, "recovery_code": recovery_code, "passkey": passkey},
                key=idempotency_key,
            ),
        )
