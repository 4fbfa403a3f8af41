# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from typing import cast

from andromede_sdk import models
from andromede_sdk.resource import Ask, Listing, Moment, Resource


class Announcers(Resource):
    def list(
        self,
        *,
        name: str | None = None,
        zone: str | None = None,
        created_after: Moment | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.Announcer]:
        """GET /v1/announcers

        `name`: The announcer of this name.
        `zone`: The announcers of this zone.
        `created_after`: Created after this time (RFC 3339).
        `sort`: One of name, -name, created_at, -created_at.
        """
        return Listing(
            self._scope,
            models.Announcer,
            Ask(
                "GET",
                "/v1/announcers",
                query={"name": name, "zone": zone, "created_after": created_after, "sort": sort, "limit": page_size},
            ),
        )

    def create(
        self, *, name: str, zone: str, address: str, dry_run: bool = False, idempotency_key: str | None = None
    ) -> models.Announcer:
        """POST /v1/announcers

        A new announcer. `address`: HOST:PORT of its service.
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.Announcer,
            Ask(
                "POST",
                "/v1/announcers",
                query={"dry_run": dry_run or None},
                body={"name": name, "zone": zone, "address": address},
                key=idempotency_key,
            ),
        )

    def get(self, announcer: str) -> models.Announcer:
        """GET /v1/announcers/{announcer}"""
        return self._scope.one(
            models.Announcer, Ask("GET", "/v1/announcers/{announcer}", names={"announcer": announcer})
        )

    def delete(self, announcer: str, *, dry_run: bool = False) -> None:
        """DELETE /v1/announcers/{announcer}

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return cast(
            "None",
            self._scope.document(
                Ask(
                    "DELETE",
                    "/v1/announcers/{announcer}",
                    names={"announcer": announcer},
                    query={"dry_run": dry_run or None},
                )
            ),
        )

    def incident_list(
        self,
        announcer: str,
        *,
        kind: str | None = None,
        created_after: Moment | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.AnnouncerIncident]:
        """GET /v1/announcers/{announcer}/incidents

        `kind`: The incidents of this kind.
        `created_after`: Created after this time (RFC 3339).
        `sort`: One of -created_at, created_at.
        """
        return Listing(
            self._scope,
            models.AnnouncerIncident,
            Ask(
                "GET",
                "/v1/announcers/{announcer}/incidents",
                names={"announcer": announcer},
                query={"kind": kind, "created_after": created_after, "sort": sort, "limit": page_size},
            ),
        )
