# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from typing import cast

from andromede_sdk import models
from andromede_sdk.resource import Ask, Listing, Moment, Resource


class Invitations(Resource):
    def accept(self, *, token: str, dry_run: bool = False, idempotency_key: str | None = None) -> models.Member:
        """POST /v1/invitations/actions/accept

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.Member,
            Ask(
                "POST",
                "/v1/invitations/actions/accept",
                query={"dry_run": dry_run or None},
                body={"token": token},
                key=idempotency_key,
            ),
        )

    def list(
        self,
        organization: str,
        *,
        created_after: Moment | None = None,
        email: str | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.Invitation]:
        """GET /v1/organizations/{organization}/invitations

        `created_after`: Created after this time (RFC 3339).
        `email`: Those for this e-mail address.
        `sort`: One of created_at, -created_at.
        """
        return Listing(
            self._scope,
            models.Invitation,
            Ask(
                "GET",
                "/v1/organizations/{organization}/invitations",
                names={"organization": organization},
                query={"created_after": created_after, "email": email, "sort": sort, "limit": page_size},
            ),
        )

    def create(
        self,
        organization: str,
        *,
        email: str,
        role: str | None = None,
        lifetime_days: int | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> models.InvitationWithToken:
        """POST /v1/organizations/{organization}/invitations

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.InvitationWithToken,
            Ask(
                "POST",
                "/v1/organizations/{organization}/invitations",
                names={"organization": organization},
                query={"dry_run": dry_run or None},
                body={"email": email, "role": role, "lifetime_days": lifetime_days},
                key=idempotency_key,
            ),
        )

    def revoke(self, organization: str, invitation: str, *, dry_run: bool = False) -> None:
        """DELETE /v1/organizations/{organization}/invitations/{invitation}

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return cast(
            "None",
            self._scope.document(
                Ask(
                    "DELETE",
                    "/v1/organizations/{organization}/invitations/{invitation}",
                    names={"organization": organization, "invitation": invitation},
                    query={"dry_run": dry_run or None},
                )
            ),
        )
