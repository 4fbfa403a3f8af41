# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from andromede_sdk import models
from andromede_sdk.resource import Ask, Labels, Listing, Moment, Resource


class Projects(Resource):
    def create(
        self,
        organization: str,
        *,
        name: str,
        labels: Mapping[str, str] | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> models.Project:
        """POST /v1/organizations/{organization}/projects

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.Project,
            Ask(
                "POST",
                "/v1/organizations/{organization}/projects",
                names={"organization": organization},
                query={"dry_run": dry_run or None},
                body={"name": name, "labels": labels},
                key=idempotency_key,
            ),
        )

    def list(
        self,
        *,
        created_after: Moment | None = None,
        name: str | None = None,
        organization: str | None = None,
        labels: Labels | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.Project]:
        """GET /v1/projects

        `created_after`: Created after this time (RFC 3339).
        `name`: The project of this name.
        `organization`: The projects of the organization of this name.
        `labels`: A selector: `env=prod,tier!=web,app in (a,b)`; all terms must match.
        `sort`: One of created_at, -created_at, name, -name.
        """
        return Listing(
            self._scope,
            models.Project,
            Ask(
                "GET",
                "/v1/projects",
                query={
                    "created_after": created_after,
                    "name": name,
                    "organization": organization,
                    "labels": labels,
                    "sort": sort,
                    "limit": page_size,
                },
            ),
        )

    def get(self, project: str) -> models.ProjectWithPermissions:
        """GET /v1/projects/{project}"""
        return self._scope.one(
            models.ProjectWithPermissions, Ask("GET", "/v1/projects/{project}", names={"project": project})
        )

    def update(
        self,
        project: str,
        *,
        name: str | None = None,
        labels: Mapping[str, str | None] | None = None,
        dry_run: bool = False,
        if_match: str | int | None = None,
    ) -> models.Project:
        """PATCH /v1/projects/{project}

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.Project,
            Ask(
                "PATCH",
                "/v1/projects/{project}",
                names={"project": project},
                query={"dry_run": dry_run or None},
                body={"name": name, "labels": labels},
                if_match=if_match,
            ),
        )

    def delete(self, project: str, *, dry_run: bool = False, if_match: str | int | None = None) -> None:
        """DELETE /v1/projects/{project}

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return cast(
            "None",
            self._scope.document(
                Ask(
                    "DELETE",
                    "/v1/projects/{project}",
                    names={"project": project},
                    query={"dry_run": dry_run or None},
                    if_match=if_match,
                )
            ),
        )
