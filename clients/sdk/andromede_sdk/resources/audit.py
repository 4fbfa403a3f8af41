# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from typing import BinaryIO

from andromede_sdk import models
from andromede_sdk.resource import Ask, Listing, Moment, Resource


class Audit(Resource):
    def list(
        self,
        *,
        actor: str | None = None,
        credential: str | None = None,
        verb: str | None = None,
        resource: str | None = None,
        operation: str | None = None,
        request_id: str | None = None,
        outcome: str | None = None,
        completed_after: Moment | None = None,
        completed_before: Moment | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.RequestRecord]:
        """GET /v1/projects/{project}/audit

        `actor`: Requests of this user.
        `credential`: Requests with this credential.
        `verb`: The operationId of the route, such as instance_create.
        `resource`: Requests about this resource.
        `operation`: The request that began this operation.
        `request_id`: The request with this X-Request-Id.
        `outcome`: One of succeeded, refused, failed, unknown.
        `completed_after`: Completed after this time (RFC 3339).
        `completed_before`: Completed before this time (RFC 3339).
        `sort`: One of -completed_at, completed_at.
        """
        return Listing(
            self._scope,
            models.RequestRecord,
            Ask(
                "GET",
                "/v1/projects/{project}/audit",
                query={
                    "actor": actor,
                    "credential": credential,
                    "verb": verb,
                    "resource": resource,
                    "operation": operation,
                    "request_id": request_id,
                    "outcome": outcome,
                    "completed_after": completed_after,
                    "completed_before": completed_before,
                    "sort": sort,
                    "limit": page_size,
                },
            ),
        )

    def deed_list(
        self,
        *,
        actor: str | None = None,
        verb: str | None = None,
        resource: str | None = None,
        created_after: Moment | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.Deed]:
        """GET /v1/projects/{project}/audit/deeds

        `actor`: Actions of this user.
        `verb`: The action, such as instance.create.
        `resource`: Actions on this resource.
        `created_after`: Created after this time (RFC 3339).
        `sort`: One of -created_at, created_at.
        """
        return Listing(
            self._scope,
            models.Deed,
            Ask(
                "GET",
                "/v1/projects/{project}/audit/deeds",
                query={
                    "actor": actor,
                    "verb": verb,
                    "resource": resource,
                    "created_after": created_after,
                    "sort": sort,
                    "limit": page_size,
                },
            ),
        )

    def export(
        self,
        to: BinaryIO,
        *,
        actor: str | None = None,
        credential: str | None = None,
        verb: str | None = None,
        resource: str | None = None,
        operation: str | None = None,
        request_id: str | None = None,
        outcome: str | None = None,
        completed_after: Moment | None = None,
        completed_before: Moment | None = None,
        format: str | None = None,
    ) -> int:
        """GET /v1/projects/{project}/audit/export

        `actor`: Requests of this user.
        `credential`: Requests with this credential.
        `verb`: The operationId of the route, such as instance_create.
        `resource`: Requests about this resource.
        `operation`: The request that began this operation.
        `request_id`: The request with this X-Request-Id.
        `outcome`: One of succeeded, refused, failed, unknown.
        `completed_after`: Completed after this time (RFC 3339).
        `completed_before`: Completed before this time (RFC 3339).
        `format`: jsonl: JSON Lines, with everything needed to verify them against the evidence log; csv: a table.
        """
        return self._scope.download(
            Ask(
                "GET",
                "/v1/projects/{project}/audit/export",
                query={
                    "actor": actor,
                    "credential": credential,
                    "verb": verb,
                    "resource": resource,
                    "operation": operation,
                    "request_id": request_id,
                    "outcome": outcome,
                    "completed_after": completed_after,
                    "completed_before": completed_before,
                    "format": format,
                },
            ),
            to,
        )
