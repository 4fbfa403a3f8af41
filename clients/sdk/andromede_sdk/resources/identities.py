# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from typing import cast

from andromede_sdk import models
from andromede_sdk.resource import Ask, Listing, Moment, Resource


class Identities(Resource):
    def list(
        self, *, created_after: Moment | None = None, sort: str | None = None, page_size: int | None = None
    ) -> Listing[models.Identity]:
        """GET /v1/identities

        `created_after`: Created after this time (RFC 3339).
        `sort`: One of -created_at, created_at.
        """
        return Listing(
            self._scope,
            models.Identity,
            Ask("GET", "/v1/identities", query={"created_after": created_after, "sort": sort, "limit": page_size}),
        )

    def unlink(self, identity: str, *, dry_run: bool = False) -> None:
        """DELETE /v1/identities/{identity}

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return cast(
            "None",
            self._scope.document(
                Ask(
                    "DELETE",
                    "/v1/identities/{identity}",
                    names={"identity": identity},
                    query={"dry_run": dry_run or None},
                )
            ),
        )

    def link(
        self,
        provider: str,
        *,
        state: str,
        code: str,
        binding: str,
        iss: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.Identity:
        """POST /v1/openid-providers/{provider}/identities

        Completion of a sign-in.

        `state`, `code` and `iss` (if present, RFC 9207) are the parameters that the browser returned with, `binding` is
        from the beginning.
        """
        return self._scope.one(
            models.Identity,
            Ask(
                "POST",
                "/v1/openid-providers/{provider}/identities",
                names={"provider": provider},
                body={"state": state, "code": code, "binding": binding, "iss": iss},
                key=idempotency_key,
            ),
        )
