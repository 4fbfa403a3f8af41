# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from andromede_sdk import models
from andromede_sdk.resource import Ask, Listing, Moment, Resource


class ServiceAccounts(Resource):
    def list(
        self,
        organization: str,
        *,
        created_after: Moment | None = None,
        name: str | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.ServiceAccount]:
        """GET /v1/organizations/{organization}/service-accounts

        `created_after`: Created after this time (RFC 3339).
        `name`: The service account of this name.
        `sort`: One of created_at, -created_at, name, -name.
        """
        return Listing(
            self._scope,
            models.ServiceAccount,
            Ask(
                "GET",
                "/v1/organizations/{organization}/service-accounts",
                names={"organization": organization},
                query={"created_after": created_after, "name": name, "sort": sort, "limit": page_size},
            ),
        )

    def create(
        self,
        organization: str,
        *,
        name: str,
        grants: Sequence[models.GrantInput] | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> models.ServiceAccount:
        """POST /v1/organizations/{organization}/service-accounts

        A new service account. `grants`: its roles, one for each project, or one for all projects.
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.ServiceAccount,
            Ask(
                "POST",
                "/v1/organizations/{organization}/service-accounts",
                names={"organization": organization},
                query={"dry_run": dry_run or None},
                body={"name": name, "grants": grants},
                key=idempotency_key,
            ),
        )

    def get(self, organization: str, service_account: str) -> models.ServiceAccount:
        """GET /v1/organizations/{organization}/service-accounts/{service_account}"""
        return self._scope.one(
            models.ServiceAccount,
            Ask(
                "GET",
                "/v1/organizations/{organization}/service-accounts/{service_account}",
                names={"organization": organization, "service_account": service_account},
            ),
        )

    def update(
        self,
        organization: str,
        service_account: str,
        *,
        name: str | None = None,
        is_disabled: bool | None = None,
        grants: Sequence[models.GrantInput] | None = None,
        dry_run: bool = False,
        if_match: str | int | None = None,
    ) -> models.ServiceAccount:
        """PATCH /v1/organizations/{organization}/service-accounts/{service_account}

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.ServiceAccount,
            Ask(
                "PATCH",
                "/v1/organizations/{organization}/service-accounts/{service_account}",
                names={"organization": organization, "service_account": service_account},
                query={"dry_run": dry_run or None},
                body={"name": name, "is_disabled": is_disabled, "grants": grants},
                if_match=if_match,
            ),
        )

    def delete(
        self, organization: str, service_account: str, *, dry_run: bool = False, if_match: str | int | None = None
    ) -> None:
        """DELETE /v1/organizations/{organization}/service-accounts/{service_account}

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return cast(
            "None",
            self._scope.document(
                Ask(
                    "DELETE",
                    "/v1/organizations/{organization}/service-accounts/{service_account}",
                    names={"organization": organization, "service_account": service_account},
                    query={"dry_run": dry_run or None},
                    if_match=if_match,
                )
            ),
        )

    def token_list(
        self,
        organization: str,
        service_account: str,
        *,
        created_after: Moment | None = None,
        name: str | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.Token]:
        """GET /v1/organizations/{organization}/service-accounts/{service_account}/tokens

        `created_after`: Created after this time (RFC 3339).
        `name`: The token of this name.
        `sort`: One of created_at, -created_at, name, -name.
        """
        return Listing(
            self._scope,
            models.Token,
            Ask(
                "GET",
                "/v1/organizations/{organization}/service-accounts/{service_account}/tokens",
                names={"organization": organization, "service_account": service_account},
                query={"created_after": created_after, "name": name, "sort": sort, "limit": page_size},
            ),
        )

    def token_create(
        self,
        organization: str,
        service_account: str,
        *,
        name: str,
        role: str | None = None,
        lifetime_days: int | None = None,
        verbs: Sequence[str] | None = None,
        kinds: Sequence[str] | None = None,
        projects: Sequence[str] | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> models.TokenWithSecret:
        """POST /v1/organizations/{organization}/service-accounts/{service_account}/tokens

        A token for several projects.

        `projects`: only these. `role`: the highest role in any project; without it, the token has all roles of its owner,
        also later ones.
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.TokenWithSecret,
            Ask(
                "POST",
                "/v1/organizations/{organization}/service-accounts/{service_account}/tokens",
                names={"organization": organization, "service_account": service_account},
                query={"dry_run": dry_run or None},
                body={
                    "name": name,
                    "role": role,
                    "lifetime_days": lifetime_days,
                    "verbs": verbs,
                    "kinds": kinds,
                    "projects": projects,
                },
                key=idempotency_key,
            ),
        )
