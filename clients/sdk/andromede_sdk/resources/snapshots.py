# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from andromede_sdk import models
from andromede_sdk.resource import Ask, Labels, Listing, Moment, Resource


class Snapshots(Resource):
    def list(
        self,
        *,
        name: str | None = None,
        state: str | None = None,
        volume: str | None = None,
        group: str | None = None,
        instance: str | None = None,
        zone: str | None = None,
        created_after: Moment | None = None,
        labels: Labels | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.Snapshot]:
        """GET /v1/projects/{project}/snapshots

        `name`: The snapshot of this name.
        `state`: One of building, available, error.
        `volume`: The snapshots of this volume, by id or name.
        `group`: The snapshots that were taken of an instance together: their `group`.
        `instance`: The snapshots that were taken of the instance with this id.
        `zone`: The snapshots in this zone.
        `created_after`: Created after this time (RFC 3339).
        `labels`: A selector: `env=prod,tier!=web,app in (a,b)`; all terms must match.
        `sort`: One of created_at, -created_at, name, -name.
        """
        return Listing(
            self._scope,
            models.Snapshot,
            Ask(
                "GET",
                "/v1/projects/{project}/snapshots",
                query={
                    "name": name,
                    "state": state,
                    "volume": volume,
                    "group": group,
                    "instance": instance,
                    "zone": zone,
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
        volume: str,
        name: str,
        consistency: str | None = None,
        expires_at: Moment | None = None,
        labels: Mapping[str, str] | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> models.SnapshotWithOperation:
        """POST /v1/projects/{project}/snapshots

        A snapshot to take of a volume. `expires_at`: when it is deleted; without it, it is kept.

        `consistency`: `crash`, as after a power cut, or `filesystem`: the file systems of the guest that has the volume are
        frozen meanwhile, by its guest agent.
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.SnapshotWithOperation,
            Ask(
                "POST",
                "/v1/projects/{project}/snapshots",
                query={"dry_run": dry_run or None},
                body={
                    "volume": volume,
                    "name": name,
                    "consistency": consistency,
                    "expires_at": expires_at,
                    "labels": labels,
                },
                key=idempotency_key,
            ),
        )

    def get(self, snapshot: str) -> models.SnapshotWithActions:
        """GET /v1/projects/{project}/snapshots/{snapshot}"""
        return self._scope.one(
            models.SnapshotWithActions,
            Ask("GET", "/v1/projects/{project}/snapshots/{snapshot}", names={"snapshot": snapshot}),
        )

    def update(
        self,
        snapshot: str,
        *,
        name: str | None = None,
        expires_at: Moment | None = None,
        labels: Mapping[str, str | None] | None = None,
        dry_run: bool = False,
        if_match: str | int | None = None,
    ) -> models.Snapshot:
        """PATCH /v1/projects/{project}/snapshots/{snapshot}

        Changes of a snapshot. `expires_at` null: it is kept.
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.Snapshot,
            Ask(
                "PATCH",
                "/v1/projects/{project}/snapshots/{snapshot}",
                names={"snapshot": snapshot},
                query={"dry_run": dry_run or None},
                body={"name": name, "expires_at": expires_at, "labels": labels},
                if_match=if_match,
            ),
        )

    def delete(
        self, snapshot: str, *, dry_run: bool = False, if_match: str | int | None = None
    ) -> models.SnapshotWithOperation | None:
        """DELETE /v1/projects/{project}/snapshots/{snapshot}

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return cast(
            "models.SnapshotWithOperation | None",
            self._scope.either(
                {200: models.SnapshotWithOperation, 202: models.SnapshotWithOperation, 204: None},
                Ask(
                    "DELETE",
                    "/v1/projects/{project}/snapshots/{snapshot}",
                    names={"snapshot": snapshot},
                    query={"dry_run": dry_run or None},
                    if_match=if_match,
                ),
            ),
        )
