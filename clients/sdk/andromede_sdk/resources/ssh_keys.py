# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from andromede_sdk import models
from andromede_sdk.resource import Ask, Labels, Listing, Moment, Resource


class SshKeys(Resource):
    def list(
        self,
        *,
        name: str | None = None,
        created_after: Moment | None = None,
        labels: Labels | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.SshKey]:
        """GET /v1/projects/{project}/ssh-keys

        `name`: The key of this name.
        `created_after`: Created after this time (RFC 3339).
        `labels`: A selector: `env=prod,tier!=web,app in (a,b)`; all terms must match.
        `sort`: One of created_at, -created_at, name, -name.
        """
        return Listing(
            self._scope,
            models.SshKey,
            Ask(
                "GET",
                "/v1/projects/{project}/ssh-keys",
                query={
                    "name": name,
                    "created_after": created_after,
                    "labels": labels,
                    "sort": sort,
                    "limit": page_size,
                },
            ),
        )

    def create(
        self,
        *,
        name: str,
        public_key: str,
        labels: Mapping[str, str] | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> models.SshKey:
        """POST /v1/projects/{project}/ssh-keys

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.SshKey,
            Ask(
                "POST",
                "/v1/projects/{project}/ssh-keys",
                query={"dry_run": dry_run or None},
                body={"name": name, "public_key": public_key, "labels": labels},
                key=idempotency_key,
            ),
        )

    def get(self, ssh_key: str) -> models.SshKey:
        """GET /v1/projects/{project}/ssh-keys/{ssh_key}"""
        return self._scope.one(
            models.SshKey, Ask("GET", "/v1/projects/{project}/ssh-keys/{ssh_key}", names={"ssh_key": ssh_key})
        )

    def update(
        self,
        ssh_key: str,
        *,
        name: str | None = None,
        labels: Mapping[str, str | None] | None = None,
        dry_run: bool = False,
        if_match: str | int | None = None,
    ) -> models.SshKey:
        """PATCH /v1/projects/{project}/ssh-keys/{ssh_key}

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.SshKey,
            Ask(
                "PATCH",
                "/v1/projects/{project}/ssh-keys/{ssh_key}",
                names={"ssh_key": ssh_key},
                query={"dry_run": dry_run or None},
                body={"name": name, "labels": labels},
                if_match=if_match,
            ),
        )

    def delete(self, ssh_key: str, *, dry_run: bool = False, if_match: str | int | None = None) -> None:
        """DELETE /v1/projects/{project}/ssh-keys/{ssh_key}

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return cast(
            "None",
            self._scope.document(
                Ask(
                    "DELETE",
                    "/v1/projects/{project}/ssh-keys/{ssh_key}",
                    names={"ssh_key": ssh_key},
                    query={"dry_run": dry_run or None},
                    if_match=if_match,
                )
            ),
        )
