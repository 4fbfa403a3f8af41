# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from andromede_sdk import models
from andromede_sdk.resource import Ask, Labels, Listing, Moment, Resource


class SnapshotSchedules(Resource):
    def list(
        self,
        *,
        name: str | None = None,
        volume: str | None = None,
        created_after: Moment | None = None,
        labels: Labels | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.SnapshotSchedule]:
        """GET /v1/projects/{project}/snapshot-schedules

        `name`: The schedule of this name.
        `volume`: The schedules of this volume, by id or name.
        `created_after`: Created after this time (RFC 3339).
        `labels`: A selector: `env=prod,tier!=web,app in (a,b)`; all terms must match.
        `sort`: One of created_at, -created_at, name, -name.
        """
        return Listing(
            self._scope,
            models.SnapshotSchedule,
            Ask(
                "GET",
                "/v1/projects/{project}/snapshot-schedules",
                query={
                    "name": name,
                    "volume": volume,
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
        frequency: str,
        at: str,
        volume: str | None = None,
        selector: str | None = None,
        timezone: str | None = None,
        weekday: str | None = None,
        day: int | None = None,
        keep: int | None = None,
        is_paused: bool | None = None,
        labels: Mapping[str, str] | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> models.SnapshotSchedule:
        """POST /v1/projects/{project}/snapshot-schedules

        Times at which snapshots are taken, of one volume or of those that a selector of labels selects then.

        `at`: local time in `timezone`; of an hourly schedule the minute. `weekday`: of a weekly schedule. `day`, of the
        month: of a monthly one. `keep`: the newest snapshots of each volume that are kept; older ones are deleted.
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.SnapshotSchedule,
            Ask(
                "POST",
                "/v1/projects/{project}/snapshot-schedules",
                query={"dry_run": dry_run or None},
                body={
                    "name": name,
                    "volume": volume,
                    "selector": selector,
                    "frequency": frequency,
                    "at": at,
                    "timezone": timezone,
                    "weekday": weekday,
                    "day": day,
                    "keep": keep,
                    "is_paused": is_paused,
                    "labels": labels,
                },
                key=idempotency_key,
            ),
        )

    def get(self, snapshot_schedule: str) -> models.SnapshotSchedule:
        """GET /v1/projects/{project}/snapshot-schedules/{snapshot_schedule}"""
        return self._scope.one(
            models.SnapshotSchedule,
            Ask(
                "GET",
                "/v1/projects/{project}/snapshot-schedules/{snapshot_schedule}",
                names={"snapshot_schedule": snapshot_schedule},
            ),
        )

    def update(
        self,
        snapshot_schedule: str,
        *,
        name: str | None = None,
        volume: str | None = None,
        selector: str | None = None,
        frequency: str | None = None,
        at: str | None = None,
        timezone: str | None = None,
        weekday: str | None = None,
        day: int | None = None,
        keep: int | None = None,
        is_paused: bool | None = None,
        labels: Mapping[str, str | None] | None = None,
        dry_run: bool = False,
        if_match: str | int | None = None,
    ) -> models.SnapshotSchedule:
        """PATCH /v1/projects/{project}/snapshot-schedules/{snapshot_schedule}

        Changes of a schedule. A `frequency` is given with its own `weekday` or `day`.
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.SnapshotSchedule,
            Ask(
                "PATCH",
                "/v1/projects/{project}/snapshot-schedules/{snapshot_schedule}",
                names={"snapshot_schedule": snapshot_schedule},
                query={"dry_run": dry_run or None},
                body={
                    "name": name,
                    "volume": volume,
                    "selector": selector,
                    "frequency": frequency,
                    "at": at,
                    "timezone": timezone,
                    "weekday": weekday,
                    "day": day,
                    "keep": keep,
                    "is_paused": is_paused,
                    "labels": labels,
                },
                if_match=if_match,
            ),
        )

    def delete(self, snapshot_schedule: str, *, dry_run: bool = False, if_match: str | int | None = None) -> None:
        """DELETE /v1/projects/{project}/snapshot-schedules/{snapshot_schedule}

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return cast(
            "None",
            self._scope.document(
                Ask(
                    "DELETE",
                    "/v1/projects/{project}/snapshot-schedules/{snapshot_schedule}",
                    names={"snapshot_schedule": snapshot_schedule},
                    query={"dry_run": dry_run or None},
                    if_match=if_match,
                )
            ),
        )
