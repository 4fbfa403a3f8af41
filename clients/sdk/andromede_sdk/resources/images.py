# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import BinaryIO, cast

from andromede_sdk import models
from andromede_sdk.resource import Ask, Labels, Listing, Moment, Resource


class Images(Resource):
    def drift_list(
        self,
        *,
        state: str | None = None,
        zone: str | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.Compliance]:
        """GET /v1/drift/images

        `state`: One of compliant, at-risk, drifted, remediating, exempted.
        `zone`: Resources in this zone.
        `sort`: One of id, -id.
        """
        return Listing(
            self._scope,
            models.Compliance,
            Ask("GET", "/v1/drift/images", query={"state": state, "zone": zone, "sort": sort, "limit": page_size}),
        )

    def list(
        self,
        *,
        name: str | None = None,
        state: str | None = None,
        created_after: Moment | None = None,
        labels: Labels | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.Image]:
        """GET /v1/projects/{project}/images

        `name`: The image of this name.
        `state`: One of awaiting-upload, importing, verifying, available, error.
        `created_after`: Created after this time (RFC 3339).
        `labels`: A selector: `env=prod,tier!=web,app in (a,b)`; all terms must match.
        `sort`: One of created_at, -created_at, name, -name.
        """
        return Listing(
            self._scope,
            models.Image,
            Ask(
                "GET",
                "/v1/projects/{project}/images",
                query={
                    "name": name,
                    "state": state,
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
        format: str | None = None,
        firmware: str | None = None,
        sha256: str | None = None,
        min_memory_mib: int | None = None,
        source_url: str | None = None,
        snapshot: str | None = None,
        volume: str | None = None,
        classifications: Sequence[str] | None = None,
        labels: Mapping[str, str] | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> models.ImageWithOperation:
        """POST /v1/projects/{project}/images

        A new image: of a file, of a snapshot, or of a volume.

        Of a file: `format` is required. Without `source_url` the image waits for its bytes: PUT them to its `file`.
        `snapshot`: its content. `volume`: its content at one moment, also while a guest writes to it, as after a power cut.
        Both make a qcow2 image with the policies and classifications of the source; `firmware` and `min_memory_mib` are
        those of the image that the volume began as, unless others are given.
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.ImageWithOperation,
            Ask(
                "POST",
                "/v1/projects/{project}/images",
                query={"dry_run": dry_run or None},
                body={
                    "name": name,
                    "format": format,
                    "firmware": firmware,
                    "sha256": sha256,
                    "min_memory_mib": min_memory_mib,
                    "source_url": source_url,
                    "snapshot": snapshot,
                    "volume": volume,
                    "classifications": classifications,
                    "labels": labels,
                },
                key=idempotency_key,
            ),
        )

    def get(self, image: str) -> models.Image:
        """GET /v1/projects/{project}/images/{image}"""
        return self._scope.one(
            models.Image, Ask("GET", "/v1/projects/{project}/images/{image}", names={"image": image})
        )

    def update(
        self,
        image: str,
        *,
        name: str | None = None,
        labels: Mapping[str, str | None] | None = None,
        dry_run: bool = False,
        if_match: str | int | None = None,
    ) -> models.Image:
        """PATCH /v1/projects/{project}/images/{image}

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.Image,
            Ask(
                "PATCH",
                "/v1/projects/{project}/images/{image}",
                names={"image": image},
                query={"dry_run": dry_run or None},
                body={"name": name, "labels": labels},
                if_match=if_match,
            ),
        )

    def delete(self, image: str, *, dry_run: bool = False, if_match: str | int | None = None) -> None:
        """DELETE /v1/projects/{project}/images/{image}

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return cast(
            "None",
            self._scope.document(
                Ask(
                    "DELETE",
                    "/v1/projects/{project}/images/{image}",
                    names={"image": image},
                    query={"dry_run": dry_run or None},
                    if_match=if_match,
                )
            ),
        )

    def upload(
        self, image: str, file: BinaryIO, *, dry_run: bool = False, if_match: str | int | None = None
    ) -> models.ImageWithOperation:
        """PUT /v1/projects/{project}/images/{image}/file

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.upload(
            models.ImageWithOperation,
            Ask(
                "PUT",
                "/v1/projects/{project}/images/{image}/file",
                names={"image": image},
                query={"dry_run": dry_run or None},
                if_match=if_match,
            ),
            file,
        )
