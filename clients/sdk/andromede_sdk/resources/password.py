# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from typing import cast

from andromede_sdk.resource import Ask, Resource


class Password(Resource):
    def change(
        self,
        *,
        new_password: str,
        old_password: str | None = None,
        revoke_tokens: bool | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> None:
        """POST /v1/password/actions/change

        A change of password.

        `old_password` may be omitted by a user without a password. `revoke_tokens`: also revoke the API tokens that were
        issued in the user's sessions.
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return cast(
            "None",
            self._scope.document(
                Ask(
                    "POST",
                    "/v1/password/actions/change",
                    query={"dry_run": dry_run or None},
                    body={"old_password": old_password, "new_password": new_password, "revoke_tokens": revoke_tokens},
                    key=idempotency_key,
                )
            ),
        )

    def set(self, *, secret: str, new_password: str, dry_run: bool = False, idempotency_key: str | None = None) -> None:
        """POST /v1/password/actions/set

        A new password. `secret` is from the link for a first or a forgotten password.
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return cast(
            "None",
            self._scope.document(
                Ask(
                    "POST",
                    "/v1/password/actions/set",
                    query={"dry_run": dry_run or None},
                    body={"secret": secret, "new_password": new_password},
                    key=idempotency_key,
                )
            ),
        )
