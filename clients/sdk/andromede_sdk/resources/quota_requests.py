# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from andromede_sdk import models
from andromede_sdk.resource import Ask, Listing, Moment, Resource


class QuotaRequests(Resource):
    def list(
        self,
        organization: str,
        *,
        created_after: Moment | None = None,
        state: str | None = None,
        dimension: str | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.QuotaRequest]:
        """GET /v1/organizations/{organization}/quota-requests

        `created_after`: Created after this time (RFC 3339).
        `state`: One of pending, approved, refused, withdrawn.
        `dimension`: One of instances, vcpus, memory_mib, volumes, storage_gib, snapshots, snapshot_gib, snapshot_schedules, networks, ports, addresses, security_groups, public_addresses, address_sets, images, image_gib, state_mib, webhooks.
        `sort`: One of -created_at, created_at.
        """
        return Listing(
            self._scope,
            models.QuotaRequest,
            Ask(
                "GET",
                "/v1/organizations/{organization}/quota-requests",
                names={"organization": organization},
                query={
                    "created_after": created_after,
                    "state": state,
                    "dimension": dimension,
                    "sort": sort,
                    "limit": page_size,
                },
            ),
        )

    def create(
        self,
        organization: str,
        *,
        dimension: str,
        limit: int,
        reason: str,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> models.QuotaRequest:
        """POST /v1/organizations/{organization}/quota-requests

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.QuotaRequest,
            Ask(
                "POST",
                "/v1/organizations/{organization}/quota-requests",
                names={"organization": organization},
                query={"dry_run": dry_run or None},
                body={"dimension": dimension, "limit": limit, "reason": reason},
                key=idempotency_key,
            ),
        )

    def get(self, organization: str, quota_request: str) -> models.QuotaRequest:
        """GET /v1/organizations/{organization}/quota-requests/{quota_request}"""
        return self._scope.one(
            models.QuotaRequest,
            Ask(
                "GET",
                "/v1/organizations/{organization}/quota-requests/{quota_request}",
                names={"organization": organization, "quota_request": quota_request},
            ),
        )

    def approve(
        self,
        organization: str,
        quota_request: str,
        *,
        reason: str,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> models.QuotaRequest:
        """POST /v1/organizations/{organization}/quota-requests/{quota_request}/actions/approve

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.QuotaRequest,
            Ask(
                "POST",
                "/v1/organizations/{organization}/quota-requests/{quota_request}/actions/approve",
                names={"organization": organization, "quota_request": quota_request},
                query={"dry_run": dry_run or None},
                body={"reason": reason},
                key=idempotency_key,
            ),
        )

    def refuse(
        self,
        organization: str,
        quota_request: str,
        *,
        reason: str,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> models.QuotaRequest:
        """POST /v1/organizations/{organization}/quota-requests/{quota_request}/actions/refuse

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.QuotaRequest,
            Ask(
                "POST",
                "/v1/organizations/{organization}/quota-requests/{quota_request}/actions/refuse",
                names={"organization": organization, "quota_request": quota_request},
                query={"dry_run": dry_run or None},
                body={"reason": reason},
                key=idempotency_key,
            ),
        )

    def withdraw(
        self, organization: str, quota_request: str, *, dry_run: bool = False, idempotency_key: str | None = None
    ) -> models.QuotaRequest:
        """POST /v1/organizations/{organization}/quota-requests/{quota_request}/actions/withdraw

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.QuotaRequest,
            Ask(
                "POST",
                "/v1/organizations/{organization}/quota-requests/{quota_request}/actions/withdraw",
                names={"organization": organization, "quota_request": quota_request},
                query={"dry_run": dry_run or None},
                key=idempotency_key,
            ),
        )
