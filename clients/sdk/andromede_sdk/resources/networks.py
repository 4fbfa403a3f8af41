# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from andromede_sdk import models
from andromede_sdk.resource import Ask, Labels, Listing, Moment, Resource


class Networks(Resource):
    def list(
        self,
        *,
        name: str | None = None,
        created_after: Moment | None = None,
        labels: Labels | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.Network]:
        """GET /v1/projects/{project}/networks

        `name`: The network of this name.
        `created_after`: Created after this time (RFC 3339).
        `labels`: A selector: `env=prod,tier!=web,app in (a,b)`; all terms must match.
        `sort`: One of created_at, -created_at, name, -name.
        """
        return Listing(
            self._scope,
            models.Network,
            Ask(
                "GET",
                "/v1/projects/{project}/networks",
                query={
                    "name": name,
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
        cidr: str | None = None,
        ipv6_cidr: str | None = None,
        ipv6_pool: str | None = None,
        gateway_ip: str | None = None,
        dns_servers: Sequence[str] | None = None,
        ntp_servers: Sequence[str] | None = None,
        domain_search: Sequence[str] | None = None,
        static_routes: Sequence[models.StaticRouteInput] | None = None,
        reserved_ranges: Sequence[str] | None = None,
        mtu: int | None = None,
        labels: Mapping[str, str] | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> models.Network:
        """POST /v1/projects/{project}/networks

        A network. With `cidr` it gets a subnet `default`; without, it has none until one is created.

        The fields of IPv6, `gateway_ip`, `reserved_ranges`, the servers, domains and routes are those of this subnet, as
        for a subnet; none without `cidr`. `mtu`: the largest packet of the guests, in bytes; above 1500, instances are
        placed in zones whose nodes all carry it.
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.Network,
            Ask(
                "POST",
                "/v1/projects/{project}/networks",
                query={"dry_run": dry_run or None},
                body={
                    "name": name,
                    "cidr": cidr,
                    "ipv6_cidr": ipv6_cidr,
                    "ipv6_pool": ipv6_pool,
                    "gateway_ip": gateway_ip,
                    "dns_servers": dns_servers,
                    "ntp_servers": ntp_servers,
                    "domain_search": domain_search,
                    "static_routes": static_routes,
                    "reserved_ranges": reserved_ranges,
                    "mtu": mtu,
                    "labels": labels,
                },
                key=idempotency_key,
            ),
        )

    def get(self, network: str) -> models.Network:
        """GET /v1/projects/{project}/networks/{network}"""
        return self._scope.one(
            models.Network, Ask("GET", "/v1/projects/{project}/networks/{network}", names={"network": network})
        )

    def update(
        self,
        network: str,
        *,
        name: str | None = None,
        labels: Mapping[str, str | None] | None = None,
        dry_run: bool = False,
        if_match: str | int | None = None,
    ) -> models.Network:
        """PATCH /v1/projects/{project}/networks/{network}

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.Network,
            Ask(
                "PATCH",
                "/v1/projects/{project}/networks/{network}",
                names={"network": network},
                query={"dry_run": dry_run or None},
                body={"name": name, "labels": labels},
                if_match=if_match,
            ),
        )

    def delete(self, network: str, *, dry_run: bool = False, if_match: str | int | None = None) -> None:
        """DELETE /v1/projects/{project}/networks/{network}

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return cast(
            "None",
            self._scope.document(
                Ask(
                    "DELETE",
                    "/v1/projects/{project}/networks/{network}",
                    names={"network": network},
                    query={"dry_run": dry_run or None},
                    if_match=if_match,
                )
            ),
        )

    def topology(self, network: str) -> models.Topology:
        """GET /v1/projects/{project}/networks/{network}/topology"""
        return self._scope.one(
            models.Topology,
            Ask("GET", "/v1/projects/{project}/networks/{network}/topology", names={"network": network}),
        )
