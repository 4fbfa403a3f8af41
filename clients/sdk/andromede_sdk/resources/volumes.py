# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast, overload

from andromede_sdk import models
from andromede_sdk.resource import Ask, Labels, Listing, Moment, Resource


class Volumes(Resource):
    def list(
        self,
        *,
        name: str | None = None,
        state: str | None = None,
        zone: str | None = None,
        created_after: Moment | None = None,
        labels: Labels | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.Volume]:
        """GET /v1/projects/{project}/volumes

        `name`: The volume of this name.
        `state`: One of building, available, in-use, error.
        `zone`: The volumes in this zone.
        `created_after`: Created after this time (RFC 3339).
        `labels`: A selector: `env=prod,tier!=web,app in (a,b)`; all terms must match.
        `sort`: One of created_at, -created_at, name, -name.
        """
        return Listing(
            self._scope,
            models.Volume,
            Ask(
                "GET",
                "/v1/projects/{project}/volumes",
                query={
                    "name": name,
                    "state": state,
                    "zone": zone,
                    "created_after": created_after,
                    "labels": labels,
                    "sort": sort,
                    "limit": page_size,
                },
            ),
        )

    @overload
    def create(
        self,
        *,
        name: str,
        size_gib: int | None = None,
        volume_type: str | None = None,
        image: str | None = None,
        snapshot: str | None = None,
        zones: Sequence[str] | None = None,
        near_instance: str | None = None,
        host: str | None = None,
        exemption: str | None = None,
        classifications: Sequence[str] | None = None,
        policy_atoms: Sequence[Mapping[str, Any]] | None = None,
        labels: Mapping[str, str] | None = None,
        dry_run: Literal[False] = False,
        idempotency_key: str | None = None,
    ) -> models.VolumeWithOperation: ...
    @overload
    def create(
        self,
        *,
        name: str,
        dry_run: Literal[True],
        size_gib: int | None = None,
        volume_type: str | None = None,
        image: str | None = None,
        snapshot: str | None = None,
        zones: Sequence[str] | None = None,
        near_instance: str | None = None,
        host: str | None = None,
        exemption: str | None = None,
        classifications: Sequence[str] | None = None,
        policy_atoms: Sequence[Mapping[str, Any]] | None = None,
        labels: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
    ) -> models.PlacementSimulation: ...
    @overload
    def create(
        self,
        *,
        name: str,
        dry_run: bool,
        size_gib: int | None = None,
        volume_type: str | None = None,
        image: str | None = None,
        snapshot: str | None = None,
        zones: Sequence[str] | None = None,
        near_instance: str | None = None,
        host: str | None = None,
        exemption: str | None = None,
        classifications: Sequence[str] | None = None,
        policy_atoms: Sequence[Mapping[str, Any]] | None = None,
        labels: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
    ) -> models.VolumeWithOperation | models.PlacementSimulation: ...
    def create(
        self,
        *,
        name: str,
        size_gib: int | None = None,
        volume_type: str | None = None,
        image: str | None = None,
        snapshot: str | None = None,
        zones: Sequence[str] | None = None,
        near_instance: str | None = None,
        host: str | None = None,
        exemption: str | None = None,
        classifications: Sequence[str] | None = None,
        policy_atoms: Sequence[Mapping[str, Any]] | None = None,
        labels: Mapping[str, str] | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> models.VolumeWithOperation | models.PlacementSimulation:
        """POST /v1/projects/{project}/volumes

        A new volume.

        `snapshot`: its content, in place of an image's; size and type are then those of the snapshot's volume, unless
        others are given. Without it the size is required, and the type is `local` unless another is given.
        `near_instance`: on the node of that instance, so that it can be attached there; not needed for a type in a pool.
        The clauses of `classifications` and `policy_atoms` apply to the volume's data as long as it exists. `host`: the
        only allowed node, for operators. `exemption`: allows the creation once, although a policy refuses it.

        A volume of a type whose `binding` is `first_use` has no place and no data until it is first attached to an
        instance, unless the request has `snapshot`, `zones`, `near_instance`, `host` or `exemption`.
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return cast(
            "models.VolumeWithOperation | models.PlacementSimulation",
            self._scope.either(
                {200: models.PlacementSimulation, 201: models.VolumeWithOperation},
                Ask(
                    "POST",
                    "/v1/projects/{project}/volumes",
                    query={"dry_run": dry_run or None},
                    body={
                        "name": name,
                        "size_gib": size_gib,
                        "volume_type": volume_type,
                        "image": image,
                        "snapshot": snapshot,
                        "zones": zones,
                        "near_instance": near_instance,
                        "host": host,
                        "exemption": exemption,
                        "classifications": classifications,
                        "policy_atoms": policy_atoms,
                        "labels": labels,
                    },
                    key=idempotency_key,
                ),
            ),
        )

    def get(self, volume: str) -> models.VolumeWithActions:
        """GET /v1/projects/{project}/volumes/{volume}"""
        return self._scope.one(
            models.VolumeWithActions, Ask("GET", "/v1/projects/{project}/volumes/{volume}", names={"volume": volume})
        )

    def update(
        self,
        volume: str,
        *,
        name: str | None = None,
        labels: Mapping[str, str | None] | None = None,
        dry_run: bool = False,
        if_match: str | int | None = None,
    ) -> models.Volume:
        """PATCH /v1/projects/{project}/volumes/{volume}

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.Volume,
            Ask(
                "PATCH",
                "/v1/projects/{project}/volumes/{volume}",
                names={"volume": volume},
                query={"dry_run": dry_run or None},
                body={"name": name, "labels": labels},
                if_match=if_match,
            ),
        )

    def delete(
        self, volume: str, *, dry_run: bool = False, if_match: str | int | None = None
    ) -> models.VolumeWithOperation | None:
        """DELETE /v1/projects/{project}/volumes/{volume}

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return cast(
            "models.VolumeWithOperation | None",
            self._scope.either(
                {200: models.VolumeWithOperation, 202: models.VolumeWithOperation, 204: None},
                Ask(
                    "DELETE",
                    "/v1/projects/{project}/volumes/{volume}",
                    names={"volume": volume},
                    query={"dry_run": dry_run or None},
                    if_match=if_match,
                ),
            ),
        )

    def grow(
        self,
        volume: str,
        *,
        size_gib: int,
        dry_run: bool = False,
        if_match: str | int | None = None,
        idempotency_key: str | None = None,
    ) -> models.VolumeWithOperation:
        """POST /v1/projects/{project}/volumes/{volume}/actions/grow

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.VolumeWithOperation,
            Ask(
                "POST",
                "/v1/projects/{project}/volumes/{volume}/actions/grow",
                names={"volume": volume},
                query={"dry_run": dry_run or None},
                body={"size_gib": size_gib},
                key=idempotency_key,
                if_match=if_match,
            ),
        )

    def relocate(
        self,
        volume: str,
        *,
        zone: str,
        max_mb_per_s: int | None = None,
        dry_run: bool = False,
        if_match: str | int | None = None,
        idempotency_key: str | None = None,
    ) -> models.VolumeWithOperation:
        """POST /v1/projects/{project}/volumes/{volume}/actions/relocate

        A request for a relocation. The detached volume moves to a node's own disk in this zone.

        `max_mb_per_s`: of the copy, in MB per second; without it there is no limit.
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.VolumeWithOperation,
            Ask(
                "POST",
                "/v1/projects/{project}/volumes/{volume}/actions/relocate",
                names={"volume": volume},
                query={"dry_run": dry_run or None},
                body={"zone": zone, "max_mb_per_s": max_mb_per_s},
                key=idempotency_key,
                if_match=if_match,
            ),
        )

    @overload
    def retype(
        self,
        volume: str,
        *,
        volume_type: str,
        max_mb_per_s: int | None = None,
        dry_run: Literal[False] = False,
        if_match: str | int | None = None,
        idempotency_key: str | None = None,
    ) -> models.VolumeWithOperation: ...
    @overload
    def retype(
        self,
        volume: str,
        *,
        volume_type: str,
        dry_run: Literal[True],
        max_mb_per_s: int | None = None,
        if_match: str | int | None = None,
        idempotency_key: str | None = None,
    ) -> models.RetypePlan: ...
    @overload
    def retype(
        self,
        volume: str,
        *,
        volume_type: str,
        dry_run: bool,
        max_mb_per_s: int | None = None,
        if_match: str | int | None = None,
        idempotency_key: str | None = None,
    ) -> models.VolumeWithOperation | models.RetypePlan: ...
    def retype(
        self,
        volume: str,
        *,
        volume_type: str,
        max_mb_per_s: int | None = None,
        dry_run: bool = False,
        if_match: str | int | None = None,
        idempotency_key: str | None = None,
    ) -> models.VolumeWithOperation | models.RetypePlan:
        """POST /v1/projects/{project}/volumes/{volume}/actions/retype

        Another type. The present one gives the volume that type's present limits.

        A type of another place, a pool or the own disk of a node, moves the data there: the volume has no snapshots then,
        and its instance, if it has one, is off, or runs on where the node can do that and one of the places is its own
        disk. `max_mb_per_s`: of the copy, in MB per second; without it there is no limit.
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return cast(
            "models.VolumeWithOperation | models.RetypePlan",
            self._scope.either(
                {200: models.RetypePlan, 202: models.VolumeWithOperation},
                Ask(
                    "POST",
                    "/v1/projects/{project}/volumes/{volume}/actions/retype",
                    names={"volume": volume},
                    query={"dry_run": dry_run or None},
                    body={"volume_type": volume_type, "max_mb_per_s": max_mb_per_s},
                    key=idempotency_key,
                    if_match=if_match,
                ),
            ),
        )

    @overload
    def revert(
        self,
        volume: str,
        *,
        snapshot: str,
        dry_run: Literal[False] = False,
        if_match: str | int | None = None,
        idempotency_key: str | None = None,
    ) -> models.VolumeWithOperation: ...
    @overload
    def revert(
        self,
        volume: str,
        *,
        snapshot: str,
        dry_run: Literal[True],
        if_match: str | int | None = None,
        idempotency_key: str | None = None,
    ) -> models.RevertPlan: ...
    @overload
    def revert(
        self,
        volume: str,
        *,
        snapshot: str,
        dry_run: bool,
        if_match: str | int | None = None,
        idempotency_key: str | None = None,
    ) -> models.VolumeWithOperation | models.RevertPlan: ...
    def revert(
        self,
        volume: str,
        *,
        snapshot: str,
        dry_run: bool = False,
        if_match: str | int | None = None,
        idempotency_key: str | None = None,
    ) -> models.VolumeWithOperation | models.RevertPlan:
        """POST /v1/projects/{project}/volumes/{volume}/actions/revert

        The snapshot of this volume to which it is reverted.
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return cast(
            "models.VolumeWithOperation | models.RevertPlan",
            self._scope.either(
                {200: models.RevertPlan, 202: models.VolumeWithOperation},
                Ask(
                    "POST",
                    "/v1/projects/{project}/volumes/{volume}/actions/revert",
                    names={"volume": volume},
                    query={"dry_run": dry_run or None},
                    body={"snapshot": snapshot},
                    key=idempotency_key,
                    if_match=if_match,
                ),
            ),
        )

    def relocation_plan(self, volume: str) -> models.VolumeRelocationPlan:
        """GET /v1/projects/{project}/volumes/{volume}/relocation-plan"""
        return self._scope.one(
            models.VolumeRelocationPlan,
            Ask("GET", "/v1/projects/{project}/volumes/{volume}/relocation-plan", names={"volume": volume}),
        )
