# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from typing import cast

from andromede_sdk import models
from andromede_sdk.resource import Ask, Listing, Moment, Resource


class StorageClusters(Resource):
    def list(
        self,
        *,
        name: str | None = None,
        zone: str | None = None,
        created_after: Moment | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.StorageCluster]:
        """GET /v1/storage-clusters

        `name`: The storage cluster of this name.
        `zone`: The storage clusters of this zone.
        `created_after`: Created after this time (RFC 3339).
        `sort`: One of name, -name, created_at, -created_at.
        """
        return Listing(
            self._scope,
            models.StorageCluster,
            Ask(
                "GET",
                "/v1/storage-clusters",
                query={"name": name, "zone": zone, "created_after": created_after, "sort": sort, "limit": page_size},
            ),
        )

    def create(
        self, *, name: str, zone: str, address: str, dry_run: bool = False, idempotency_key: str | None = None
    ) -> models.StorageCluster:
        """POST /v1/storage-clusters

        A new storage cluster. `address`: HOST:PORT of its storage agent.
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.StorageCluster,
            Ask(
                "POST",
                "/v1/storage-clusters",
                query={"dry_run": dry_run or None},
                body={"name": name, "zone": zone, "address": address},
                key=idempotency_key,
            ),
        )

    def get(self, cluster: str) -> models.StorageCluster:
        """GET /v1/storage-clusters/{cluster}"""
        return self._scope.one(
            models.StorageCluster, Ask("GET", "/v1/storage-clusters/{cluster}", names={"cluster": cluster})
        )

    def delete(self, cluster: str, *, dry_run: bool = False) -> None:
        """DELETE /v1/storage-clusters/{cluster}

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return cast(
            "None",
            self._scope.document(
                Ask(
                    "DELETE",
                    "/v1/storage-clusters/{cluster}",
                    names={"cluster": cluster},
                    query={"dry_run": dry_run or None},
                )
            ),
        )

    def incident_list(
        self,
        cluster: str,
        *,
        kind: str | None = None,
        created_after: Moment | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.StorageClusterIncident]:
        """GET /v1/storage-clusters/{cluster}/incidents

        `kind`: The incidents of this kind.
        `created_after`: Created after this time (RFC 3339).
        `sort`: One of -created_at, created_at.
        """
        return Listing(
            self._scope,
            models.StorageClusterIncident,
            Ask(
                "GET",
                "/v1/storage-clusters/{cluster}/incidents",
                names={"cluster": cluster},
                query={"kind": kind, "created_after": created_after, "sort": sort, "limit": page_size},
            ),
        )
