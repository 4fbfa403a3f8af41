# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from andromede_sdk import models
from andromede_sdk.resource import Ask, Listing, Moment, Resource


class Pools(Resource):
    def list(
        self,
        *,
        name: str | None = None,
        zone: str | None = None,
        engine: str | None = None,
        created_after: Moment | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.Pool]:
        """GET /v1/pools

        `name`: The pools of this name.
        `zone`: The pools of this zone.
        `engine`: One of folder, rbd.
        `created_after`: Created after this time (RFC 3339).
        `sort`: One of name, -name, created_at, -created_at.
        """
        return Listing(
            self._scope,
            models.Pool,
            Ask(
                "GET",
                "/v1/pools",
                query={
                    "name": name,
                    "zone": zone,
                    "engine": engine,
                    "created_after": created_after,
                    "sort": sort,
                    "limit": page_size,
                },
            ),
        )

    def get(self, pool: str) -> models.Pool:
        """GET /v1/pools/{pool}"""
        return self._scope.one(models.Pool, Ask("GET", "/v1/pools/{pool}", names={"pool": pool}))

    def instance_list(
        self,
        pool: str,
        *,
        state: str | None = None,
        project: str | None = None,
        created_after: Moment | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.Guest]:
        """GET /v1/pools/{pool}/instances

        `state`: One of building, active, stopped, error.
        `project`: The instances of projects of this name.
        `created_after`: Created after this time (RFC 3339).
        `sort`: One of created_at, -created_at, name, -name.
        """
        return Listing(
            self._scope,
            models.Guest,
            Ask(
                "GET",
                "/v1/pools/{pool}/instances",
                names={"pool": pool},
                query={
                    "state": state,
                    "project": project,
                    "created_after": created_after,
                    "sort": sort,
                    "limit": page_size,
                },
            ),
        )

    def volume_list(
        self,
        pool: str,
        *,
        state: str | None = None,
        project: str | None = None,
        created_after: Moment | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.PooledVolume]:
        """GET /v1/pools/{pool}/volumes

        `state`: One of building, available, in-use, error.
        `project`: The volumes of projects of this name.
        `created_after`: Created after this time (RFC 3339).
        `sort`: One of created_at, -created_at, name, -name.
        """
        return Listing(
            self._scope,
            models.PooledVolume,
            Ask(
                "GET",
                "/v1/pools/{pool}/volumes",
                names={"pool": pool},
                query={
                    "state": state,
                    "project": project,
                    "created_after": created_after,
                    "sort": sort,
                    "limit": page_size,
                },
            ),
        )
