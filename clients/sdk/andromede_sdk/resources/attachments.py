# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from typing import cast

from andromede_sdk import models
from andromede_sdk.resource import Ask, Listing, Moment, Resource


class Attachments(Resource):
    def list(
        self,
        instance: str,
        *,
        created_after: Moment | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.Attachment]:
        """GET /v1/projects/{project}/instances/{instance}/attachments

        `created_after`: Created after this time (RFC 3339).
        `sort`: One of created_at, -created_at.
        """
        return Listing(
            self._scope,
            models.Attachment,
            Ask(
                "GET",
                "/v1/projects/{project}/instances/{instance}/attachments",
                names={"instance": instance},
                query={"created_after": created_after, "sort": sort, "limit": page_size},
            ),
        )

    def create(
        self,
        instance: str,
        *,
        volume: str,
        is_read_only: bool | None = None,
        share: bool | None = None,
        dry_run: bool = False,
        if_match: str | int | None = None,
        idempotency_key: str | None = None,
    ) -> models.AttachmentWithOperation:
        """POST /v1/projects/{project}/instances/{instance}/attachments

        A volume to attach. `share`: other instances can have it attached, too, and write to it at once, so the guest has
        a file system that is made for that; required for a volume with `is_multi_attach`, and refused for others.
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.AttachmentWithOperation,
            Ask(
                "POST",
                "/v1/projects/{project}/instances/{instance}/attachments",
                names={"instance": instance},
                query={"dry_run": dry_run or None},
                body={"volume": volume, "is_read_only": is_read_only, "share": share},
                key=idempotency_key,
                if_match=if_match,
            ),
        )

    def get(self, instance: str, attachment: str) -> models.Attachment:
        """GET /v1/projects/{project}/instances/{instance}/attachments/{attachment}"""
        return self._scope.one(
            models.Attachment,
            Ask(
                "GET",
                "/v1/projects/{project}/instances/{instance}/attachments/{attachment}",
                names={"instance": instance, "attachment": attachment},
            ),
        )

    def delete(
        self, instance: str, attachment: str, *, dry_run: bool = False, if_match: str | int | None = None
    ) -> models.AttachmentWithOperation | None:
        """DELETE /v1/projects/{project}/instances/{instance}/attachments/{attachment}

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return cast(
            "models.AttachmentWithOperation | None",
            self._scope.either(
                {200: models.AttachmentWithOperation, 202: models.AttachmentWithOperation, 204: None},
                Ask(
                    "DELETE",
                    "/v1/projects/{project}/instances/{instance}/attachments/{attachment}",
                    names={"instance": instance, "attachment": attachment},
                    query={"dry_run": dry_run or None},
                    if_match=if_match,
                ),
            ),
        )
