# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from andromede_sdk import models
from andromede_sdk.resource import Ask, Listing, Moment, Resource


class RemediationPlans(Resource):
    def list(
        self,
        *,
        state: str | None = None,
        created_after: Moment | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.Plan]:
        """GET /v1/projects/{project}/remediation-plans

        `state`: One of proposed, approved, done, withdrawn.
        `created_after`: Created after this time (RFC 3339).
        `sort`: One of -created_at, created_at.
        """
        return Listing(
            self._scope,
            models.Plan,
            Ask(
                "GET",
                "/v1/projects/{project}/remediation-plans",
                query={"state": state, "created_after": created_after, "sort": sort, "limit": page_size},
            ),
        )

    def get(self, plan: str) -> models.Plan:
        """GET /v1/projects/{project}/remediation-plans/{plan}"""
        return self._scope.one(
            models.Plan, Ask("GET", "/v1/projects/{project}/remediation-plans/{plan}", names={"plan": plan})
        )

    def approve(self, plan: str, *, dry_run: bool = False, idempotency_key: str | None = None) -> models.Plan:
        """POST /v1/projects/{project}/remediation-plans/{plan}/actions/approve

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.Plan,
            Ask(
                "POST",
                "/v1/projects/{project}/remediation-plans/{plan}/actions/approve",
                names={"plan": plan},
                query={"dry_run": dry_run or None},
                key=idempotency_key,
            ),
        )

    def execute(self, plan: str, *, dry_run: bool = False, idempotency_key: str | None = None) -> models.Plan:
        """POST /v1/projects/{project}/remediation-plans/{plan}/actions/execute

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.Plan,
            Ask(
                "POST",
                "/v1/projects/{project}/remediation-plans/{plan}/actions/execute",
                names={"plan": plan},
                query={"dry_run": dry_run or None},
                key=idempotency_key,
            ),
        )

    def pause(self, plan: str, *, dry_run: bool = False, idempotency_key: str | None = None) -> models.Plan:
        """POST /v1/projects/{project}/remediation-plans/{plan}/actions/pause

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.Plan,
            Ask(
                "POST",
                "/v1/projects/{project}/remediation-plans/{plan}/actions/pause",
                names={"plan": plan},
                query={"dry_run": dry_run or None},
                key=idempotency_key,
            ),
        )
