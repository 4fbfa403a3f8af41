# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from andromede_sdk import models
from andromede_sdk.resource import Ask, Labels, Listing, Moment, Resource


class Ports(Resource):
    def list(
        self,
        *,
        name: str | None = None,
        network: str | None = None,
        instance: str | None = None,
        address: str | None = None,
        created_after: Moment | None = None,
        labels: Labels | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.Port]:
        """GET /v1/projects/{project}/ports

        `name`: The port of this name.
        `network`: The ports on this network, by id or name.
        `instance`: The ports of this instance, by id or name.
        `address`: The ports with this address.
        `created_after`: Created after this time (RFC 3339).
        `labels`: A selector: `env=prod,tier!=web,app in (a,b)`; all terms must match.
        `sort`: One of created_at, -created_at, name, -name.
        """
        return Listing(
            self._scope,
            models.Port,
            Ask(
                "GET",
                "/v1/projects/{project}/ports",
                query={
                    "name": name,
                    "network": network,
                    "instance": instance,
                    "address": address,
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
        network: str,
        name: str | None = None,
        addresses: Sequence[models.AddressInput] | None = None,
        allowed_addresses: Sequence[models.AllowedAddressInput] | None = None,
        security_groups: Sequence[str] | None = None,
        bandwidth: models.BandwidthInput | None = None,
        labels: Mapping[str, str] | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> models.Port:
        """POST /v1/projects/{project}/ports

        A port.

        Without a `name` it gets one of its id; without `addresses`, a free one of each family of the subnet; without
        `security_groups`, the project's default group. One address at least is of IPv4.
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.Port,
            Ask(
                "POST",
                "/v1/projects/{project}/ports",
                query={"dry_run": dry_run or None},
                body={
                    "network": network,
                    "name": name,
                    "addresses": addresses,
                    "allowed_addresses": allowed_addresses,
                    "security_groups": security_groups,
                    "bandwidth": bandwidth,
                    "labels": labels,
                },
                key=idempotency_key,
            ),
        )

    def get(self, port: str) -> models.PortWithActions:
        """GET /v1/projects/{project}/ports/{port}"""
        return self._scope.one(
            models.PortWithActions, Ask("GET", "/v1/projects/{project}/ports/{port}", names={"port": port})
        )

    def update(
        self,
        port: str,
        *,
        name: str | None = None,
        addresses: Sequence[models.AddressInput] | None = None,
        allowed_addresses: Sequence[models.AllowedAddressInput] | None = None,
        security_groups: Sequence[str] | None = None,
        bandwidth: models.BandwidthInput | None = None,
        labels: Mapping[str, str | None] | None = None,
        dry_run: bool = False,
        if_match: str | int | None = None,
    ) -> models.Port:
        """PATCH /v1/projects/{project}/ports/{port}

        Changes of a port.

        `addresses` and `allowed_addresses` replace the former ones. Addresses that the port has, named by their `ip`, stay.
        An attached port keeps all that it has, and may get more: its guest asks for an IPv6 address by DHCPv6, and is given
        all addresses by its metadata. `security_groups` replace the former ones at any time; without any nothing passes. Of
        `bandwidth` only the given limits change.
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.Port,
            Ask(
                "PATCH",
                "/v1/projects/{project}/ports/{port}",
                names={"port": port},
                query={"dry_run": dry_run or None},
                body={
                    "name": name,
                    "addresses": addresses,
                    "allowed_addresses": allowed_addresses,
                    "security_groups": security_groups,
                    "bandwidth": bandwidth,
                    "labels": labels,
                },
                if_match=if_match,
            ),
        )

    def delete(self, port: str, *, dry_run: bool = False, if_match: str | int | None = None) -> None:
        """DELETE /v1/projects/{project}/ports/{port}

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return cast(
            "None",
            self._scope.document(
                Ask(
                    "DELETE",
                    "/v1/projects/{project}/ports/{port}",
                    names={"port": port},
                    query={"dry_run": dry_run or None},
                    if_match=if_match,
                )
            ),
        )

    def attach(
        self,
        port: str,
        *,
        instance: str,
        dry_run: bool = False,
        if_match: str | int | None = None,
        idempotency_key: str | None = None,
    ) -> models.PortWithOperation:
        """POST /v1/projects/{project}/ports/{port}/actions/attach

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.PortWithOperation,
            Ask(
                "POST",
                "/v1/projects/{project}/ports/{port}/actions/attach",
                names={"port": port},
                query={"dry_run": dry_run or None},
                body={"instance": instance},
                key=idempotency_key,
                if_match=if_match,
            ),
        )

    def detach(
        self, port: str, *, dry_run: bool = False, if_match: str | int | None = None, idempotency_key: str | None = None
    ) -> models.PortWithOperation:
        """POST /v1/projects/{project}/ports/{port}/actions/detach

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.PortWithOperation,
            Ask(
                "POST",
                "/v1/projects/{project}/ports/{port}/actions/detach",
                names={"port": port},
                query={"dry_run": dry_run or None},
                key=idempotency_key,
                if_match=if_match,
            ),
        )

    def metrics(
        self, port: str, *, since: Moment | None = None, until: Moment | None = None, resolution: str | None = None
    ) -> models.Metrics:
        """GET /v1/projects/{project}/ports/{port}/metrics

        `since`: The first moment (RFC 3339); an hour before `until` when not given.
        `until`: Up to this moment; now when not given, and never later.
        `resolution`: How much time a point stands for, such as 30s, 5m or 1h; there are 1000 points at most, and up to 400 when it is not given.
        """
        return self._scope.one(
            models.Metrics,
            Ask(
                "GET",
                "/v1/projects/{project}/ports/{port}/metrics",
                names={"port": port},
                query={"since": since, "until": until, "resolution": resolution},
            ),
        )
