# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from typing import Any, cast

from andromede_sdk import models
from andromede_sdk.resource import Ask, Listing, Moment, Resource


class TerraformStates(Resource):
    def list(self, *, sort: str | None = None, page_size: int | None = None) -> Listing[models.State]:
        """GET /v1/projects/{project}/terraform-states

        `sort`: One of name, -name.
        """
        return Listing(
            self._scope,
            models.State,
            Ask("GET", "/v1/projects/{project}/terraform-states", query={"sort": sort, "limit": page_size}),
        )

    def read(self, terraform_state: str) -> dict[str, Any]:
        """GET /v1/projects/{project}/terraform-states/{terraform_state}"""
        return cast(
            "dict[str, Any]",
            self._scope.document(
                Ask(
                    "GET",
                    "/v1/projects/{project}/terraform-states/{terraform_state}",
                    names={"terraform_state": terraform_state},
                )
            ),
        )

    def delete(self, terraform_state: str, *, dry_run: bool = False) -> None:
        """DELETE /v1/projects/{project}/terraform-states/{terraform_state}

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return cast(
            "None",
            self._scope.document(
                Ask(
                    "DELETE",
                    "/v1/projects/{project}/terraform-states/{terraform_state}",
                    names={"terraform_state": terraform_state},
                    query={"dry_run": dry_run or None},
                )
            ),
        )

    def lock(
        self,
        terraform_state: str,
        *,
        ID: str,
        Operation: str | None = None,
        Info: str | None = None,
        Who: str | None = None,
        Version: str | None = None,
        Created: str | None = None,
        Path: str | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> models.State:
        """POST /v1/projects/{project}/terraform-states/{terraform_state}/actions/lock

        A state lock with Terraform's description of its holder. The names are Terraform's.
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.State,
            Ask(
                "POST",
                "/v1/projects/{project}/terraform-states/{terraform_state}/actions/lock",
                names={"terraform_state": terraform_state},
                query={"dry_run": dry_run or None},
                body={
                    "ID": ID,
                    "Operation": Operation,
                    "Info": Info,
                    "Who": Who,
                    "Version": Version,
                    "Created": Created,
                    "Path": Path,
                },
                key=idempotency_key,
            ),
        )

    def unlock(
        self,
        terraform_state: str,
        *,
        ID: str | None = None,
        Operation: str | None = None,
        Info: str | None = None,
        Who: str | None = None,
        Version: str | None = None,
        Created: str | None = None,
        Path: str | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> models.State:
        """POST /v1/projects/{project}/terraform-states/{terraform_state}/actions/unlock

        The state lock to end. Without an ID, any lock is ended, as `terraform force-unlock` requires.
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.State,
            Ask(
                "POST",
                "/v1/projects/{project}/terraform-states/{terraform_state}/actions/unlock",
                names={"terraform_state": terraform_state},
                query={"dry_run": dry_run or None},
                body={
                    "ID": ID,
                    "Operation": Operation,
                    "Info": Info,
                    "Who": Who,
                    "Version": Version,
                    "Created": Created,
                    "Path": Path,
                },
                key=idempotency_key,
            ),
        )

    def version_list(
        self,
        terraform_state: str,
        *,
        created_after: Moment | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.StateVersion]:
        """GET /v1/projects/{project}/terraform-states/{terraform_state}/versions

        `created_after`: Created after this time (RFC 3339).
        `sort`: One of -created_at, created_at.
        """
        return Listing(
            self._scope,
            models.StateVersion,
            Ask(
                "GET",
                "/v1/projects/{project}/terraform-states/{terraform_state}/versions",
                names={"terraform_state": terraform_state},
                query={"created_after": created_after, "sort": sort, "limit": page_size},
            ),
        )

    def version_read(self, terraform_state: str, version: str) -> dict[str, Any]:
        """GET /v1/projects/{project}/terraform-states/{terraform_state}/versions/{version}"""
        return cast(
            "dict[str, Any]",
            self._scope.document(
                Ask(
                    "GET",
                    "/v1/projects/{project}/terraform-states/{terraform_state}/versions/{version}",
                    names={"terraform_state": terraform_state, "version": version},
                )
            ),
        )
