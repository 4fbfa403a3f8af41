# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from andromede_sdk import models
from andromede_sdk.resource import Ask, Listing, Moment, Resource


class Operations(Resource):
    def resolve(
        self, operation: str, *, reason: str, dry_run: bool = False, idempotency_key: str | None = None
    ) -> models.Resolution:
        """POST /v1/operations/{operation}/actions/resolve

        A request to end an operation without its node.

        `reason`: how it is known that the node does not come back. The evidence log keeps it.
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.Resolution,
            Ask(
                "POST",
                "/v1/operations/{operation}/actions/resolve",
                names={"operation": operation},
                query={"dry_run": dry_run or None},
                body={"reason": reason},
                key=idempotency_key,
            ),
        )

    def list(
        self,
        *,
        resource: str | None = None,
        state: str | None = None,
        kind: str | None = None,
        created_after: Moment | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.Operation]:
        """GET /v1/projects/{project}/operations

        `resource`: The operations on the resource with this id.
        `state`: One of pending, running, undoing, succeeded, failed, cancelled.
        `kind`: The operations of this kind, such as instance.create.
        `created_after`: Created after this time (RFC 3339).
        `sort`: One of -created_at, created_at.
        """
        return Listing(
            self._scope,
            models.Operation,
            Ask(
                "GET",
                "/v1/projects/{project}/operations",
                query={
                    "resource": resource,
                    "state": state,
                    "kind": kind,
                    "created_after": created_after,
                    "sort": sort,
                    "limit": page_size,
                },
            ),
        )

    def get(self, operation: str, *, wait: str | None = None) -> models.Operation:
        """GET /v1/projects/{project}/operations/{operation}

        `wait`: Respond when the operation has ended, at the latest after this time (0s to 60s).
        """
        return self._scope.one(
            models.Operation,
            Ask(
                "GET",
                "/v1/projects/{project}/operations/{operation}",
                names={"operation": operation},
                query={"wait": wait},
            ),
        )

    def cancel(self, operation: str, *, dry_run: bool = False, idempotency_key: str | None = None) -> models.Operation:
        """POST /v1/projects/{project}/operations/{operation}/actions/cancel

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.Operation,
            Ask(
                "POST",
                "/v1/projects/{project}/operations/{operation}/actions/cancel",
                names={"operation": operation},
                query={"dry_run": dry_run or None},
                key=idempotency_key,
            ),
        )

    def retry(self, operation: str, *, dry_run: bool = False, idempotency_key: str | None = None) -> models.Operation:
        """POST /v1/projects/{project}/operations/{operation}/actions/retry

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.Operation,
            Ask(
                "POST",
                "/v1/projects/{project}/operations/{operation}/actions/retry",
                names={"operation": operation},
                query={"dry_run": dry_run or None},
                key=idempotency_key,
            ),
        )
