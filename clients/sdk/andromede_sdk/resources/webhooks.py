# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from andromede_sdk import models
from andromede_sdk.resource import Ask, Labels, Listing, Moment, Resource


class Webhooks(Resource):
    def list(
        self,
        *,
        name: str | None = None,
        created_after: Moment | None = None,
        labels: Labels | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.Webhook]:
        """GET /v1/projects/{project}/webhooks

        `name`: The webhook of this name.
        `created_after`: Created after this time (RFC 3339).
        `labels`: A selector: `env=prod,tier!=web,app in (a,b)`; all terms must match.
        `sort`: One of created_at, -created_at, name, -name.
        """
        return Listing(
            self._scope,
            models.Webhook,
            Ask(
                "GET",
                "/v1/projects/{project}/webhooks",
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
        url: str,
        kinds: Sequence[str],
        is_enabled: bool | None = None,
        labels: Mapping[str, str] | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> models.WebhookWithSecret:
        """POST /v1/projects/{project}/webhooks

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.WebhookWithSecret,
            Ask(
                "POST",
                "/v1/projects/{project}/webhooks",
                query={"dry_run": dry_run or None},
                body={"name": name, "url": url, "kinds": kinds, "is_enabled": is_enabled, "labels": labels},
                key=idempotency_key,
            ),
        )

    def get(self, webhook: str) -> models.Webhook:
        """GET /v1/projects/{project}/webhooks/{webhook}"""
        return self._scope.one(
            models.Webhook, Ask("GET", "/v1/projects/{project}/webhooks/{webhook}", names={"webhook": webhook})
        )

    def update(
        self,
        webhook: str,
        *,
        name: str | None = None,
        url: str | None = None,
        kinds: Sequence[str] | None = None,
        is_enabled: bool | None = None,
        labels: Mapping[str, str | None] | None = None,
        dry_run: bool = False,
        if_match: str | int | None = None,
    ) -> models.Webhook:
        """PATCH /v1/projects/{project}/webhooks/{webhook}

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.Webhook,
            Ask(
                "PATCH",
                "/v1/projects/{project}/webhooks/{webhook}",
                names={"webhook": webhook},
                query={"dry_run": dry_run or None},
                body={"name": name, "url": url, "kinds": kinds, "is_enabled": is_enabled, "labels": labels},
                if_match=if_match,
            ),
        )

    def delete(self, webhook: str, *, dry_run: bool = False, if_match: str | int | None = None) -> None:
        """DELETE /v1/projects/{project}/webhooks/{webhook}

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return cast(
            "None",
            self._scope.document(
                Ask(
                    "DELETE",
                    "/v1/projects/{project}/webhooks/{webhook}",
                    names={"webhook": webhook},
                    query={"dry_run": dry_run or None},
                    if_match=if_match,
                )
            ),
        )

    def end_rotation(
        self, webhook: str, *, dry_run: bool = False, idempotency_key: str | None = None
    ) -> models.Webhook:
        """POST /v1/projects/{project}/webhooks/{webhook}/actions/end-rotation

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.Webhook,
            Ask(
                "POST",
                "/v1/projects/{project}/webhooks/{webhook}/actions/end-rotation",
                names={"webhook": webhook},
                query={"dry_run": dry_run or None},
                key=idempotency_key,
            ),
        )

    def ping(self, webhook: str, *, dry_run: bool = False, idempotency_key: str | None = None) -> models.Delivery:
        """POST /v1/projects/{project}/webhooks/{webhook}/actions/ping

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.Delivery,
            Ask(
                "POST",
                "/v1/projects/{project}/webhooks/{webhook}/actions/ping",
                names={"webhook": webhook},
                query={"dry_run": dry_run or None},
                key=idempotency_key,
            ),
        )

    def rotate_secret(
        self,
        webhook: str,
        *,
        overlap_hours: int | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> models.WebhookWithSecret:
        """POST /v1/projects/{project}/webhooks/{webhook}/actions/rotate-secret

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.WebhookWithSecret,
            Ask(
                "POST",
                "/v1/projects/{project}/webhooks/{webhook}/actions/rotate-secret",
                names={"webhook": webhook},
                query={"dry_run": dry_run or None},
                body={"overlap_hours": overlap_hours},
                key=idempotency_key,
            ),
        )

    def delivery_list(
        self,
        webhook: str,
        *,
        state: str | None = None,
        kind: str | None = None,
        created_after: Moment | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.Delivery]:
        """GET /v1/projects/{project}/webhooks/{webhook}/deliveries

        `state`: One of pending, succeeded, failed.
        `kind`: The deliveries of events of this kind.
        `created_after`: Created after this time (RFC 3339).
        `sort`: One of -created_at, created_at.
        """
        return Listing(
            self._scope,
            models.Delivery,
            Ask(
                "GET",
                "/v1/projects/{project}/webhooks/{webhook}/deliveries",
                names={"webhook": webhook},
                query={"state": state, "kind": kind, "created_after": created_after, "sort": sort, "limit": page_size},
            ),
        )

    def delivery(self, webhook: str, delivery: str) -> models.Delivery:
        """GET /v1/projects/{project}/webhooks/{webhook}/deliveries/{delivery}"""
        return self._scope.one(
            models.Delivery,
            Ask(
                "GET",
                "/v1/projects/{project}/webhooks/{webhook}/deliveries/{delivery}",
                names={"webhook": webhook, "delivery": delivery},
            ),
        )

    def delivery_redeliver(
        self, webhook: str, delivery: str, *, dry_run: bool = False, idempotency_key: str | None = None
    ) -> models.Delivery:
        """POST /v1/projects/{project}/webhooks/{webhook}/deliveries/{delivery}/actions/redeliver

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.Delivery,
            Ask(
                "POST",
                "/v1/projects/{project}/webhooks/{webhook}/deliveries/{delivery}/actions/redeliver",
                names={"webhook": webhook, "delivery": delivery},
                query={"dry_run": dry_run or None},
                key=idempotency_key,
            ),
        )
