# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from andromede_sdk import models
from andromede_sdk.resource import Ask, Labels, Listing, Moment, Resource


class PublicAddresses(Resource):
    def list(
        self,
        *,
        name: str | None = None,
        ip: str | None = None,
        pool: str | None = None,
        port: str | None = None,
        network: str | None = None,
        instance: str | None = None,
        created_after: Moment | None = None,
        labels: Labels | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.PublicAddress]:
        """GET /v1/projects/{project}/public-addresses

        `name`: The address of this name.
        `ip`: This address.
        `pool`: The addresses of this pool, by id or name.
        `port`: The addresses of this port, by id or name.
        `network`: The egress addresses of this network, by id or name.
        `instance`: The addresses of this instance's ports, by id or name.
        `created_after`: Created after this time (RFC 3339).
        `labels`: A selector: `env=prod,tier!=web,app in (a,b)`; all terms must match.
        `sort`: One of created_at, -created_at, name, -name.
        """
        return Listing(
            self._scope,
            models.PublicAddress,
            Ask(
                "GET",
                "/v1/projects/{project}/public-addresses",
                query={
                    "name": name,
                    "ip": ip,
                    "pool": pool,
                    "port": port,
                    "network": network,
                    "instance": instance,
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
        pool: str,
        name: str | None = None,
        ip: str | None = None,
        ptr: str | None = None,
        labels: Mapping[str, str] | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> models.PublicAddress:
        """POST /v1/projects/{project}/public-addresses

        An address to reserve from a `pool`: this `ip`, or the lowest free one.

        Without a `name` the address gets one of its id. `ptr`: the name that the operator's reverse zone is to have for it.
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.PublicAddress,
            Ask(
                "POST",
                "/v1/projects/{project}/public-addresses",
                query={"dry_run": dry_run or None},
                body={"pool": pool, "name": name, "ip": ip, "ptr": ptr, "labels": labels},
                key=idempotency_key,
            ),
        )

    def get(self, public_address: str) -> models.PublicAddressWithActions:
        """GET /v1/projects/{project}/public-addresses/{public_address}"""
        return self._scope.one(
            models.PublicAddressWithActions,
            Ask(
                "GET",
                "/v1/projects/{project}/public-addresses/{public_address}",
                names={"public_address": public_address},
            ),
        )

    def update(
        self,
        public_address: str,
        *,
        name: str | None = None,
        ptr: str | None = None,
        labels: Mapping[str, str | None] | None = None,
        dry_run: bool = False,
        if_match: str | int | None = None,
    ) -> models.PublicAddress:
        """PATCH /v1/projects/{project}/public-addresses/{public_address}

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.PublicAddress,
            Ask(
                "PATCH",
                "/v1/projects/{project}/public-addresses/{public_address}",
                names={"public_address": public_address},
                query={"dry_run": dry_run or None},
                body={"name": name, "ptr": ptr, "labels": labels},
                if_match=if_match,
            ),
        )

    def delete(self, public_address: str, *, dry_run: bool = False, if_match: str | int | None = None) -> None:
        """DELETE /v1/projects/{project}/public-addresses/{public_address}

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return cast(
            "None",
            self._scope.document(
                Ask(
                    "DELETE",
                    "/v1/projects/{project}/public-addresses/{public_address}",
                    names={"public_address": public_address},
                    query={"dry_run": dry_run or None},
                    if_match=if_match,
                )
            ),
        )

    def attach(
        self,
        public_address: str,
        *,
        port: str | None = None,
        network: str | None = None,
        mode: str | None = None,
        fixed_ip: str | None = None,
        move: bool | None = None,
        dry_run: bool = False,
        if_match: str | int | None = None,
        idempotency_key: str | None = None,
    ) -> models.PublicAddress:
        """POST /v1/projects/{project}/public-addresses/{public_address}/actions/attach

        A port or a network that gets the address.

        `network`: the address becomes the source of what leaves the network in the address's zone from ports without a
        public IPv4 address of their own. It goes without the other fields but `move`. `mode`: `nat`, by which the address
        is translated one to one to `fixed_ip`, or `routed`, by which the guest has it itself; IPv6 is always routed.
        `fixed_ip`: without it, the first IPv4 address of the port. `move`: another port or a network may have the address,
        and loses it.
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.PublicAddress,
            Ask(
                "POST",
                "/v1/projects/{project}/public-addresses/{public_address}/actions/attach",
                names={"public_address": public_address},
                query={"dry_run": dry_run or None},
                body={"port": port, "network": network, "mode": mode, "fixed_ip": fixed_ip, "move": move},
                key=idempotency_key,
                if_match=if_match,
            ),
        )

    def detach(
        self,
        public_address: str,
        *,
        dry_run: bool = False,
        if_match: str | int | None = None,
        idempotency_key: str | None = None,
    ) -> models.PublicAddress:
        """POST /v1/projects/{project}/public-addresses/{public_address}/actions/detach

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.PublicAddress,
            Ask(
                "POST",
                "/v1/projects/{project}/public-addresses/{public_address}/actions/detach",
                names={"public_address": public_address},
                query={"dry_run": dry_run or None},
                key=idempotency_key,
                if_match=if_match,
            ),
        )

    def resume(
        self, public_address: str, *, dry_run: bool = False, idempotency_key: str | None = None
    ) -> models.HeldPublicAddress:
        """POST /v1/public-addresses/{public_address}/actions/resume

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.HeldPublicAddress,
            Ask(
                "POST",
                "/v1/public-addresses/{public_address}/actions/resume",
                names={"public_address": public_address},
                query={"dry_run": dry_run or None},
                key=idempotency_key,
            ),
        )

    def suspend(
        self, public_address: str, *, reason: str, dry_run: bool = False, idempotency_key: str | None = None
    ) -> models.HeldPublicAddress:
        """POST /v1/public-addresses/{public_address}/actions/suspend

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.HeldPublicAddress,
            Ask(
                "POST",
                "/v1/public-addresses/{public_address}/actions/suspend",
                names={"public_address": public_address},
                query={"dry_run": dry_run or None},
                body={"reason": reason},
                key=idempotency_key,
            ),
        )
