# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from typing import cast

from andromede_sdk.resource import Ask, Resource


class Users(Resource):
    def sessions_end(self, user: str, *, dry_run: bool = False) -> None:
        """DELETE /v1/users/{user}/sessions

        `dry_run`: true: say only what would be; nothing is written.
        """
        return cast(
            "None",
            self._scope.document(
                Ask("DELETE", "/v1/users/{user}/sessions", names={"user": user}, query={"dry_run": dry_run or None})
            ),
        )
