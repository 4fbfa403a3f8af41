# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from andromede_sdk import models
from andromede_sdk.resource import Ask, Labels, Listing, Moment, Resource


class AffinityGroups(Resource):
    def list(
        self,
        *,
        name: str | None = None,
        created_after: Moment | None = None,
        labels: Labels | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.AffinityGroup]:
        """GET /v1/projects/{project}/affinity-groups

        `name`: The group of this name.
        `created_after`: Created after this time (RFC 3339).
        `labels`: A selector: `env=prod,tier!=web,app in (a,b)`; all terms must match.
        `sort`: One of created_at, -created_at, name, -name.
        """
        return Listing(
            self._scope,
            models.AffinityGroup,
            Ask(
                "GET",
                "/v1/projects/{project}/affinity-groups",
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
        rule: str,
        is_strict: bool | None = None,
        labels: Mapping[str, str] | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> models.AffinityGroup:
        """POST /v1/projects/{project}/affinity-groups

        A new affinity group. `is_strict` false: a preference, not a condition.
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.AffinityGroup,
            Ask(
                "POST",
                "/v1/projects/{project}/affinity-groups",
                query={"dry_run": dry_run or None},
                body={"name": name, "rule": rule, "is_strict": is_strict, "labels": labels},
                key=idempotency_key,
            ),
        )

    def get(self, affinity_group: str) -> models.AffinityGroup:
        """GET /v1/projects/{project}/affinity-groups/{affinity_group}"""
        return self._scope.one(
            models.AffinityGroup,
            Ask(
                "GET",
                "/v1/projects/{project}/affinity-groups/{affinity_group}",
                names={"affinity_group": affinity_group},
            ),
        )

    def update(
        self,
        affinity_group: str,
        *,
        name: str | None = None,
        labels: Mapping[str, str | None] | None = None,
        dry_run: bool = False,
        if_match: str | int | None = None,
    ) -> models.AffinityGroup:
        """PATCH /v1/projects/{project}/affinity-groups/{affinity_group}

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.AffinityGroup,
            Ask(
                "PATCH",
                "/v1/projects/{project}/affinity-groups/{affinity_group}",
                names={"affinity_group": affinity_group},
                query={"dry_run": dry_run or None},
                body={"name": name, "labels": labels},
                if_match=if_match,
            ),
        )

    def delete(self, affinity_group: str, *, dry_run: bool = False, if_match: str | int | None = None) -> None:
        """DELETE /v1/projects/{project}/affinity-groups/{affinity_group}

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return cast(
            "None",
            self._scope.document(
                Ask(
                    "DELETE",
                    "/v1/projects/{project}/affinity-groups/{affinity_group}",
                    names={"affinity_group": affinity_group},
                    query={"dry_run": dry_run or None},
                    if_match=if_match,
                )
            ),
        )
