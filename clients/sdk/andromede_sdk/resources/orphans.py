# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from andromede_sdk import models
from andromede_sdk.resource import Ask, Listing, Moment, Resource


class Orphans(Resource):
    def list(
        self,
        *,
        state: str | None = None,
        kind: str | None = None,
        node: str | None = None,
        storage_cluster: str | None = None,
        zone: str | None = None,
        open: str | None = None,
        created_after: Moment | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.Orphan]:
        """GET /v1/orphans

        `state`: One of found, quarantined, released, discarded, gone.
        `kind`: One of domain, volume, image, file, port, attachment, snapshot, allocation, address.
        `node`: Orphans on the node of this name.
        `storage_cluster`: Orphans in the storage cluster of this name.
        `zone`: Orphans on nodes and in clusters of this zone.
        `open`: One of true, false.
        `created_after`: Created after this time (RFC 3339).
        `sort`: One of -created_at, created_at.
        """
        return Listing(
            self._scope,
            models.Orphan,
            Ask(
                "GET",
                "/v1/orphans",
                query={
                    "state": state,
                    "kind": kind,
                    "node": node,
                    "storage_cluster": storage_cluster,
                    "zone": zone,
                    "open": open,
                    "created_after": created_after,
                    "sort": sort,
                    "limit": page_size,
                },
            ),
        )

    def get(self, orphan: str) -> models.Orphan:
        """GET /v1/orphans/{orphan}"""
        return self._scope.one(models.Orphan, Ask("GET", "/v1/orphans/{orphan}", names={"orphan": orphan}))

    def discard(
        self, orphan: str, *, name: str, reason: str, dry_run: bool = False, idempotency_key: str | None = None
    ) -> models.Orphan:
        """POST /v1/orphans/{orphan}/actions/discard

        A request to discard an orphan. `name`: repeats the name, as confirmation. `reason`: kept in the evidence.
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.Orphan,
            Ask(
                "POST",
                "/v1/orphans/{orphan}/actions/discard",
                names={"orphan": orphan},
                query={"dry_run": dry_run or None},
                body={"name": name, "reason": reason},
                key=idempotency_key,
            ),
        )

    def release(
        self, orphan: str, *, reason: str, dry_run: bool = False, idempotency_key: str | None = None
    ) -> models.Orphan:
        """POST /v1/orphans/{orphan}/actions/release

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.Orphan,
            Ask(
                "POST",
                "/v1/orphans/{orphan}/actions/release",
                names={"orphan": orphan},
                query={"dry_run": dry_run or None},
                body={"reason": reason},
                key=idempotency_key,
            ),
        )
