# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast, overload

from andromede_sdk import models
from andromede_sdk.resource import Ask, Labels, Listing, Moment, Resource


class Instances(Resource):
    def migrate_cancel(
        self, instance: str, *, dry_run: bool = False, idempotency_key: str | None = None
    ) -> models.PlatformOperation:
        """POST /v1/instances/{instance}/actions/cancel-migrate

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.PlatformOperation,
            Ask(
                "POST",
                "/v1/instances/{instance}/actions/cancel-migrate",
                names={"instance": instance},
                query={"dry_run": dry_run or None},
                key=idempotency_key,
            ),
        )

    def migrate(
        self,
        instance: str,
        *,
        node: str | None = None,
        reason: str | None = None,
        deadline_s: int | None = None,
        convergence: str | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> models.PlatformOperation:
        """POST /v1/instances/{instance}/actions/migrate

        A request for a migration.

        `node`: the only allowed destination, subject to the policies. Without it, the best node that they admit in the
        instance's zone. `reason` is shown to the tenant. `deadline_s`: a live migration that has not completed after this
        time is cancelled, and the guest continues on its node; by default 30 minutes plus 30 s for each GiB of its memory
        and of the disks that are sent. `convergence`: the reaction if the guest writes faster than it can be sent:
        `auto_converge` slows it down, `none` waits for the deadline. Neither applies to a guest that is off.
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.PlatformOperation,
            Ask(
                "POST",
                "/v1/instances/{instance}/actions/migrate",
                names={"instance": instance},
                query={"dry_run": dry_run or None},
                body={"node": node, "reason": reason, "deadline_s": deadline_s, "convergence": convergence},
                key=idempotency_key,
            ),
        )

    def migration_plan(self, instance: str) -> models.MigrationPlan:
        """GET /v1/instances/{instance}/migration-plan"""
        return self._scope.one(
            models.MigrationPlan, Ask("GET", "/v1/instances/{instance}/migration-plan", names={"instance": instance})
        )

    def migration_list(
        self,
        instance: str,
        *,
        state: str | None = None,
        created_after: Moment | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.Migration]:
        """GET /v1/instances/{instance}/migrations

        `state`: One of placing, preparing, moving, arrived, done, failed, cancelled.
        `created_after`: Created after this time (RFC 3339).
        `sort`: One of -created_at, created_at.
        """
        return Listing(
            self._scope,
            models.Migration,
            Ask(
                "GET",
                "/v1/instances/{instance}/migrations",
                names={"instance": instance},
                query={"state": state, "created_after": created_after, "sort": sort, "limit": page_size},
            ),
        )

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
    ) -> Listing[models.Instance]:
        """GET /v1/projects/{project}/instances

        `name`: The instance of this name.
        `state`: One of building, active, stopped, error.
        `zone`: The instances in this zone.
        `created_after`: Created after this time (RFC 3339).
        `labels`: A selector: `env=prod,tier!=web,app in (a,b)`; all terms must match.
        `sort`: One of created_at, -created_at, name, -name.
        """
        return Listing(
            self._scope,
            models.Instance,
            Ask(
                "GET",
                "/v1/projects/{project}/instances",
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
        flavor: str,
        image: str | None = None,
        boot_volume: str | None = None,
        networks: Sequence[str] | None = None,
        ports: Sequence[str] | None = None,
        security_groups: Sequence[str] | None = None,
        ssh_keys: Sequence[str] | None = None,
        volumes: Sequence[str] | None = None,
        root_volume_type: str | None = None,
        keep_root_volume: bool | None = None,
        user_data: str | None = None,
        user_data_base64: str | None = None,
        zones: Sequence[str] | None = None,
        affinity_group: str | None = None,
        host: str | None = None,
        exemption: str | None = None,
        restart_policy: str | None = None,
        metadata: str | None = None,
        start: bool | None = None,
        classifications: Sequence[str] | None = None,
        policy_atoms: Sequence[Mapping[str, Any]] | None = None,
        labels: Mapping[str, str] | None = None,
        dry_run: Literal[False] = False,
        idempotency_key: str | None = None,
    ) -> models.InstanceWithOperation: ...
    @overload
    def create(
        self,
        *,
        name: str,
        flavor: str,
        dry_run: Literal[True],
        image: str | None = None,
        boot_volume: str | None = None,
        networks: Sequence[str] | None = None,
        ports: Sequence[str] | None = None,
        security_groups: Sequence[str] | None = None,
        ssh_keys: Sequence[str] | None = None,
        volumes: Sequence[str] | None = None,
        root_volume_type: str | None = None,
        keep_root_volume: bool | None = None,
        user_data: str | None = None,
        user_data_base64: str | None = None,
        zones: Sequence[str] | None = None,
        affinity_group: str | None = None,
        host: str | None = None,
        exemption: str | None = None,
        restart_policy: str | None = None,
        metadata: str | None = None,
        start: bool | None = None,
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
        flavor: str,
        dry_run: bool,
        image: str | None = None,
        boot_volume: str | None = None,
        networks: Sequence[str] | None = None,
        ports: Sequence[str] | None = None,
        security_groups: Sequence[str] | None = None,
        ssh_keys: Sequence[str] | None = None,
        volumes: Sequence[str] | None = None,
        root_volume_type: str | None = None,
        keep_root_volume: bool | None = None,
        user_data: str | None = None,
        user_data_base64: str | None = None,
        zones: Sequence[str] | None = None,
        affinity_group: str | None = None,
        host: str | None = None,
        exemption: str | None = None,
        restart_policy: str | None = None,
        metadata: str | None = None,
        start: bool | None = None,
        classifications: Sequence[str] | None = None,
        policy_atoms: Sequence[Mapping[str, Any]] | None = None,
        labels: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
    ) -> models.InstanceWithOperation | models.PlacementSimulation: ...
    def create(
        self,
        *,
        name: str,
        flavor: str,
        image: str | None = None,
        boot_volume: str | None = None,
        networks: Sequence[str] | None = None,
        ports: Sequence[str] | None = None,
        security_groups: Sequence[str] | None = None,
        ssh_keys: Sequence[str] | None = None,
        volumes: Sequence[str] | None = None,
        root_volume_type: str | None = None,
        keep_root_volume: bool | None = None,
        user_data: str | None = None,
        user_data_base64: str | None = None,
        zones: Sequence[str] | None = None,
        affinity_group: str | None = None,
        host: str | None = None,
        exemption: str | None = None,
        restart_policy: str | None = None,
        metadata: str | None = None,
        start: bool | None = None,
        classifications: Sequence[str] | None = None,
        policy_atoms: Sequence[Mapping[str, Any]] | None = None,
        labels: Mapping[str, str] | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> models.InstanceWithOperation | models.PlacementSimulation:
        """POST /v1/projects/{project}/instances

        A new instance.

        Its network cards are on `networks`, with ports of its own, and then `ports`, free ones of the project; 8 in all.
        `user_data` is for the guest's first boot, at most 64 KiB, as text or in base64; no response contains it. The
        clauses of `classifications` and `policy_atoms` apply to the instance's data as long as it exists. `host`: the only
        allowed node, for operators. `exemption`: allows the creation once, although a policy refuses it. `restart_policy`:
        whether the guest is started again after it crashed or its node restarted. `root_volume_type`: the storage of the
        root disk; a root disk in a pool lets another node run the instance after its own has failed. `boot_volume` in place
        of `image`: an available volume that was made from an image is the root disk, as it is; the instance is placed with
        it, and the disk of the flavor is not used. Volumes without a place, also to boot from, get one with the instance,
        where all fit. `keep_root_volume`: true makes the root disk a volume, as a root disk of
        a type with snapshots always is, and keeps this volume when the instance is deleted; false deletes it with the
        instance; by default only a `boot_volume` is kept. `security_groups`: the groups of all ports that are created with
        it; without them the project's default group. `metadata`: which programs in the guest may read its metadata at
        169.254.169.254: those that get a token first, all (`open`), or none (`off`). `start` false: the instance is created
        stopped, with its disk, addresses and volumes; its first boot follows at its first start.
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return cast(
            "models.InstanceWithOperation | models.PlacementSimulation",
            self._scope.either(
                {200: models.PlacementSimulation, 201: models.InstanceWithOperation},
                Ask(
                    "POST",
                    "/v1/projects/{project}/instances",
                    query={"dry_run": dry_run or None},
                    body={
                        "name": name,
                        "flavor": flavor,
                        "image": image,
                        "boot_volume": boot_volume,
                        "networks": networks,
                        "ports": ports,
                        "security_groups": security_groups,
                        "ssh_keys": ssh_keys,
                        "volumes": volumes,
                        "root_volume_type": root_volume_type,
                        "keep_root_volume": keep_root_volume,
                        "user_data": user_data,
                        "user_data_base64": user_data_base64,
                        "zones": zones,
                        "affinity_group": affinity_group,
                        "host": host,
                        "exemption": exemption,
                        "restart_policy": restart_policy,
                        "metadata": metadata,
                        "start": start,
                        "classifications": classifications,
                        "policy_atoms": policy_atoms,
                        "labels": labels,
                    },
                    key=idempotency_key,
                ),
            ),
        )

    def get(self, instance: str) -> models.InstanceWithActions:
        """GET /v1/projects/{project}/instances/{instance}"""
        return self._scope.one(
            models.InstanceWithActions,
            Ask("GET", "/v1/projects/{project}/instances/{instance}", names={"instance": instance}),
        )

    def update(
        self,
        instance: str,
        *,
        name: str | None = None,
        labels: Mapping[str, str | None] | None = None,
        restart_policy: str | None = None,
        keep_root_volume: bool | None = None,
        dry_run: bool = False,
        if_match: str | int | None = None,
    ) -> models.Instance:
        """PATCH /v1/projects/{project}/instances/{instance}

        `keep_root_volume`: whether the volume that is the root disk is kept when the instance is deleted.
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.Instance,
            Ask(
                "PATCH",
                "/v1/projects/{project}/instances/{instance}",
                names={"instance": instance},
                query={"dry_run": dry_run or None},
                body={
                    "name": name,
                    "labels": labels,
                    "restart_policy": restart_policy,
                    "keep_root_volume": keep_root_volume,
                },
                if_match=if_match,
            ),
        )

    def delete(
        self, instance: str, *, dry_run: bool = False, if_match: str | int | None = None
    ) -> models.InstanceWithOperation | None:
        """DELETE /v1/projects/{project}/instances/{instance}

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return cast(
            "models.InstanceWithOperation | None",
            self._scope.either(
                {200: models.InstanceWithOperation, 202: models.InstanceWithOperation, 204: None},
                Ask(
                    "DELETE",
                    "/v1/projects/{project}/instances/{instance}",
                    names={"instance": instance},
                    query={"dry_run": dry_run or None},
                    if_match=if_match,
                ),
            ),
        )

    def power_off(
        self,
        instance: str,
        *,
        dry_run: bool = False,
        if_match: str | int | None = None,
        idempotency_key: str | None = None,
    ) -> models.InstanceWithOperation:
        """POST /v1/projects/{project}/instances/{instance}/actions/power-off

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.InstanceWithOperation,
            Ask(
                "POST",
                "/v1/projects/{project}/instances/{instance}/actions/power-off",
                names={"instance": instance},
                query={"dry_run": dry_run or None},
                key=idempotency_key,
                if_match=if_match,
            ),
        )

    def reboot(
        self,
        instance: str,
        *,
        dry_run: bool = False,
        if_match: str | int | None = None,
        idempotency_key: str | None = None,
    ) -> models.InstanceWithOperation:
        """POST /v1/projects/{project}/instances/{instance}/actions/reboot

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.InstanceWithOperation,
            Ask(
                "POST",
                "/v1/projects/{project}/instances/{instance}/actions/reboot",
                names={"instance": instance},
                query={"dry_run": dry_run or None},
                key=idempotency_key,
                if_match=if_match,
            ),
        )

    def rebuild(
        self,
        instance: str,
        *,
        image: str,
        ssh_keys: Sequence[str] | None = None,
        user_data: str | None = None,
        user_data_base64: str | None = None,
        dry_run: bool = False,
        if_match: str | int | None = None,
        idempotency_key: str | None = None,
    ) -> models.InstanceWithOperation:
        """POST /v1/projects/{project}/instances/{instance}/actions/rebuild

        A request for a rebuild.

        The root disk is created again from `image`, and all data on it is erased. Name, addresses, attachments and size
        stay, and also `ssh_keys` and user data if none are given. The first boot follows: at once if the instance is
        active, else at its next start.
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.InstanceWithOperation,
            Ask(
                "POST",
                "/v1/projects/{project}/instances/{instance}/actions/rebuild",
                names={"instance": instance},
                query={"dry_run": dry_run or None},
                body={
                    "image": image,
                    "ssh_keys": ssh_keys,
                    "user_data": user_data,
                    "user_data_base64": user_data_base64,
                },
                key=idempotency_key,
                if_match=if_match,
            ),
        )

    def relocate(
        self,
        instance: str,
        *,
        zone: str,
        dry_run: bool = False,
        if_match: str | int | None = None,
        idempotency_key: str | None = None,
    ) -> models.InstanceWithOperation:
        """POST /v1/projects/{project}/instances/{instance}/actions/relocate

        A request for a relocation. The stopped instance moves to this zone, with its volumes, and stays off.
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.InstanceWithOperation,
            Ask(
                "POST",
                "/v1/projects/{project}/instances/{instance}/actions/relocate",
                names={"instance": instance},
                query={"dry_run": dry_run or None},
                body={"zone": zone},
                key=idempotency_key,
                if_match=if_match,
            ),
        )

    def reset(
        self,
        instance: str,
        *,
        dry_run: bool = False,
        if_match: str | int | None = None,
        idempotency_key: str | None = None,
    ) -> models.InstanceWithOperation:
        """POST /v1/projects/{project}/instances/{instance}/actions/reset

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.InstanceWithOperation,
            Ask(
                "POST",
                "/v1/projects/{project}/instances/{instance}/actions/reset",
                names={"instance": instance},
                query={"dry_run": dry_run or None},
                key=idempotency_key,
                if_match=if_match,
            ),
        )

    def resize(
        self,
        instance: str,
        *,
        flavor: str,
        dry_run: bool = False,
        if_match: str | int | None = None,
        idempotency_key: str | None = None,
    ) -> models.InstanceWithOperation:
        """POST /v1/projects/{project}/instances/{instance}/actions/resize

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.InstanceWithOperation,
            Ask(
                "POST",
                "/v1/projects/{project}/instances/{instance}/actions/resize",
                names={"instance": instance},
                query={"dry_run": dry_run or None},
                body={"flavor": flavor},
                key=idempotency_key,
                if_match=if_match,
            ),
        )

    def shutdown(
        self,
        instance: str,
        *,
        dry_run: bool = False,
        if_match: str | int | None = None,
        idempotency_key: str | None = None,
    ) -> models.InstanceWithOperation:
        """POST /v1/projects/{project}/instances/{instance}/actions/shutdown

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.InstanceWithOperation,
            Ask(
                "POST",
                "/v1/projects/{project}/instances/{instance}/actions/shutdown",
                names={"instance": instance},
                query={"dry_run": dry_run or None},
                key=idempotency_key,
                if_match=if_match,
            ),
        )

    def snapshot(
        self,
        instance: str,
        *,
        name: str,
        consistency: str | None = None,
        volumes: Sequence[str] | None = None,
        expires_at: Moment | None = None,
        labels: Mapping[str, str] | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> models.InstanceSnapshotsWithOperation:
        """POST /v1/projects/{project}/instances/{instance}/actions/snapshot

        Snapshots to take of the disks of an instance at one moment.

        `name`: of the snapshot of a single disk; those of several have the names of their volumes appended. `consistency`:
        `crash`, as after a power cut: the guest is paused while snapshots of several disks are taken; or `filesystem`: its
        guest agent freezes the file systems meanwhile. `volumes`: the disks; without it, all of them. `expires_at`: when
        the snapshots are deleted; without it, they are kept.
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.InstanceSnapshotsWithOperation,
            Ask(
                "POST",
                "/v1/projects/{project}/instances/{instance}/actions/snapshot",
                names={"instance": instance},
                query={"dry_run": dry_run or None},
                body={
                    "name": name,
                    "consistency": consistency,
                    "volumes": volumes,
                    "expires_at": expires_at,
                    "labels": labels,
                },
                key=idempotency_key,
            ),
        )

    def start(
        self,
        instance: str,
        *,
        dry_run: bool = False,
        if_match: str | int | None = None,
        idempotency_key: str | None = None,
    ) -> models.InstanceWithOperation:
        """POST /v1/projects/{project}/instances/{instance}/actions/start

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.InstanceWithOperation,
            Ask(
                "POST",
                "/v1/projects/{project}/instances/{instance}/actions/start",
                names={"instance": instance},
                query={"dry_run": dry_run or None},
                key=idempotency_key,
                if_match=if_match,
            ),
        )

    def console_log(self, instance: str, *, max_bytes: int | None = None) -> str:
        """GET /v1/projects/{project}/instances/{instance}/console-log

        `max_bytes`: Number of bytes from the end; 1048576 at most and by default.
        """
        return self._scope.text(
            Ask(
                "GET",
                "/v1/projects/{project}/instances/{instance}/console-log",
                names={"instance": instance},
                query={"max_bytes": max_bytes},
            )
        )

    def console_open(
        self,
        instance: str,
        *,
        kind: str,
        dry_run: bool = False,
        if_match: str | int | None = None,
        idempotency_key: str | None = None,
    ) -> models.Console:
        """POST /v1/projects/{project}/instances/{instance}/consoles

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.Console,
            Ask(
                "POST",
                "/v1/projects/{project}/instances/{instance}/consoles",
                names={"instance": instance},
                query={"dry_run": dry_run or None},
                body={"kind": kind},
                key=idempotency_key,
                if_match=if_match,
            ),
        )

    def metrics(
        self, instance: str, *, since: Moment | None = None, until: Moment | None = None, resolution: str | None = None
    ) -> models.Metrics:
        """GET /v1/projects/{project}/instances/{instance}/metrics

        `since`: The first moment (RFC 3339); an hour before `until` when not given.
        `until`: Up to this moment; now when not given, and never later.
        `resolution`: How much time a point stands for, such as 30s, 5m or 1h; there are 1000 points at most, and up to 400 when it is not given.
        """
        return self._scope.one(
            models.Metrics,
            Ask(
                "GET",
                "/v1/projects/{project}/instances/{instance}/metrics",
                names={"instance": instance},
                query={"since": since, "until": until, "resolution": resolution},
            ),
        )

    def placement(self, instance: str) -> models.Decision:
        """GET /v1/projects/{project}/instances/{instance}/placement"""
        return self._scope.one(
            models.Decision,
            Ask("GET", "/v1/projects/{project}/instances/{instance}/placement", names={"instance": instance}),
        )

    def relocation_plan(self, instance: str) -> models.RelocationPlan:
        """GET /v1/projects/{project}/instances/{instance}/relocation-plan"""
        return self._scope.one(
            models.RelocationPlan,
            Ask("GET", "/v1/projects/{project}/instances/{instance}/relocation-plan", names={"instance": instance}),
        )

    def tunnel_open(
        self,
        instance: str,
        *,
        tcp_port: int | None = None,
        network: str | None = None,
        dry_run: bool = False,
        if_match: str | int | None = None,
        idempotency_key: str | None = None,
    ) -> models.Tunnel:
        """POST /v1/projects/{project}/instances/{instance}/tunnels

        A tunnel to one TCP port of the guest. `network`: of the network card to use; the first one by default.
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.Tunnel,
            Ask(
                "POST",
                "/v1/projects/{project}/instances/{instance}/tunnels",
                names={"instance": instance},
                query={"dry_run": dry_run or None},
                body={"tcp_port": tcp_port, "network": network},
                key=idempotency_key,
                if_match=if_match,
            ),
        )
