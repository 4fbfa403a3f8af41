# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from andromede_sdk import models
from andromede_sdk.resource import Ask, Listing, Resource


class VolumeTypes(Resource):
    def usable_list(self, *, sort: str | None = None, page_size: int | None = None) -> Listing[models.VolumeType]:
        """GET /v1/projects/{project}/volume-types

        `sort`: One of id, -id.
        """
        return Listing(
            self._scope,
            models.VolumeType,
            Ask("GET", "/v1/projects/{project}/volume-types", query={"sort": sort, "limit": page_size}),
        )

    def list(self, *, sort: str | None = None, page_size: int | None = None) -> Listing[models.VolumeType]:
        """GET /v1/volume-types

        `sort`: One of id, -id.
        """
        return Listing(
            self._scope, models.VolumeType, Ask("GET", "/v1/volume-types", query={"sort": sort, "limit": page_size})
        )

    def create(
        self,
        *,
        id: str,
        description: str,
        pool: str | None = None,
        binding: str | None = None,
        is_multi_attach: bool | None = None,
        iops: int | None = None,
        mb_per_s: int | None = None,
        iops_per_gib: int | None = None,
        mb_per_s_per_gib: int | None = None,
        organizations: Sequence[str] | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> models.VolumeType:
        """POST /v1/volume-types

        A volume type. `pool`: the pool that has its volumes; without it, the disk of one node.

        `binding`: when a volume gets its place. `immediate`: at its creation. `first_use`: when it is first attached to an
        instance, on the instance's node or in the pool of its zone. A request that names a place, as by `zones`, gets it at
        once.

        `is_multi_attach`: several instances, each on a node of its own, can have such a volume attached at once, with a
        file system that is made for that. Its pool is of a storage cluster, and its binding `immediate`. Pool, binding and
        this cannot be changed.

        A volume has the larger one of the fixed limit and that by its size, of reads and writes together; 0: no limit. 1
        MB is 10^6 bytes. `organizations`: the only ones that may use the type; empty: all.
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.VolumeType,
            Ask(
                "POST",
                "/v1/volume-types",
                query={"dry_run": dry_run or None},
                body={
                    "id": id,
                    "description": description,
                    "pool": pool,
                    "binding": binding,
                    "is_multi_attach": is_multi_attach,
                    "iops": iops,
                    "mb_per_s": mb_per_s,
                    "iops_per_gib": iops_per_gib,
                    "mb_per_s_per_gib": mb_per_s_per_gib,
                    "organizations": organizations,
                },
                key=idempotency_key,
            ),
        )

    def get(self, volume_type: str) -> models.VolumeType:
        """GET /v1/volume-types/{volume_type}"""
        return self._scope.one(
            models.VolumeType, Ask("GET", "/v1/volume-types/{volume_type}", names={"volume_type": volume_type})
        )

    def update(
        self,
        volume_type: str,
        *,
        description: str | None = None,
        iops: int | None = None,
        mb_per_s: int | None = None,
        iops_per_gib: int | None = None,
        mb_per_s_per_gib: int | None = None,
        organizations: Sequence[str] | None = None,
        is_retired: bool | None = None,
        dry_run: bool = False,
        if_match: str | int | None = None,
    ) -> models.VolumeType:
        """PATCH /v1/volume-types/{volume_type}

        Changes of a volume type. Limits count for new volumes, and for others at their next growth or retype.

        `organizations` replaces the former ones. `is_retired`: new volumes are refused; present ones stay as they are.
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.VolumeType,
            Ask(
                "PATCH",
                "/v1/volume-types/{volume_type}",
                names={"volume_type": volume_type},
                query={"dry_run": dry_run or None},
                body={
                    "description": description,
                    "iops": iops,
                    "mb_per_s": mb_per_s,
                    "iops_per_gib": iops_per_gib,
                    "mb_per_s_per_gib": mb_per_s_per_gib,
                    "organizations": organizations,
                    "is_retired": is_retired,
                },
                if_match=if_match,
            ),
        )

    def delete(self, volume_type: str, *, dry_run: bool = False, if_match: str | int | None = None) -> None:
        """DELETE /v1/volume-types/{volume_type}

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return cast(
            "None",
            self._scope.document(
                Ask(
                    "DELETE",
                    "/v1/volume-types/{volume_type}",
                    names={"volume_type": volume_type},
                    query={"dry_run": dry_run or None},
                    if_match=if_match,
                )
            ),
        )
