# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from typing import cast

from andromede_sdk import models
from andromede_sdk.resource import Ask, Listing, Moment, Resource


class Members(Resource):
    def list(
        self,
        organization: str,
        *,
        created_after: Moment | None = None,
        role: str | None = None,
        email: str | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.Member]:
        """GET /v1/organizations/{organization}/members

        `created_after`: Created after this time (RFC 3339).
        `role`: One of owner, admin, member, viewer, billing, sovereignty_officer.
        `email`: The member with this e-mail address.
        `sort`: One of created_at, -created_at.
        """
        return Listing(
            self._scope,
            models.Member,
            Ask(
                "GET",
                "/v1/organizations/{organization}/members",
                names={"organization": organization},
                query={"created_after": created_after, "role": role, "email": email, "sort": sort, "limit": page_size},
            ),
        )

    def get(self, organization: str, member: str) -> models.Member:
        """GET /v1/organizations/{organization}/members/{member}"""
        return self._scope.one(
            models.Member,
            Ask(
                "GET",
                "/v1/organizations/{organization}/members/{member}",
                names={"organization": organization, "member": member},
            ),
        )

    def update(
        self, organization: str, member: str, *, role: str, dry_run: bool = False, if_match: str | int | None = None
    ) -> models.Member:
        """PATCH /v1/organizations/{organization}/members/{member}

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.Member,
            Ask(
                "PATCH",
                "/v1/organizations/{organization}/members/{member}",
                names={"organization": organization, "member": member},
                query={"dry_run": dry_run or None},
                body={"role": role},
                if_match=if_match,
            ),
        )

    def remove(
        self, organization: str, member: str, *, dry_run: bool = False, if_match: str | int | None = None
    ) -> None:
        """DELETE /v1/organizations/{organization}/members/{member}

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return cast(
            "None",
            self._scope.document(
                Ask(
                    "DELETE",
                    "/v1/organizations/{organization}/members/{member}",
                    names={"organization": organization, "member": member},
                    query={"dry_run": dry_run or None},
                    if_match=if_match,
                )
            ),
        )
