# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from andromede_sdk import models
from andromede_sdk.resource import Ask, Labels, Listing, Moment, Resource


class Subnets(Resource):
    def list(
        self,
        network: str,
        *,
        name: str | None = None,
        created_after: Moment | None = None,
        labels: Labels | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.Subnet]:
        """GET /v1/projects/{project}/networks/{network}/subnets

        `name`: The subnet of this name.
        `created_after`: Created after this time (RFC 3339).
        `labels`: A selector: `env=prod,tier!=web,app in (a,b)`; all terms must match.
        `sort`: One of created_at, -created_at, name, -name.
        """
        return Listing(
            self._scope,
            models.Subnet,
            Ask(
                "GET",
                "/v1/projects/{project}/networks/{network}/subnets",
                names={"network": network},
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
        network: str,
        *,
        name: str,
        cidr: str,
        ipv6_cidr: str | None = None,
        ipv6_pool: str | None = None,
        gateway_ip: str | None = None,
        dns_servers: Sequence[str] | None = None,
        ntp_servers: Sequence[str] | None = None,
        domain_search: Sequence[str] | None = None,
        static_routes: Sequence[models.StaticRouteInput] | None = None,
        reserved_ranges: Sequence[str] | None = None,
        labels: Mapping[str, str] | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> models.Subnet:
        """POST /v1/projects/{project}/networks/{network}/subnets

        A subnet.

        `gateway_ip`: its first address unless another one is given. `reserved_ranges`: addresses that no port gets, each
        `first-last` or one address, of either family. IPv6 by `ipv6_cidr`, a unique local /64 within fd00::/8 (RFC 4193),
        or by `ipv6_pool`: the lowest free /64 of this pool, routed to the pool's zone.

        Guests get `ntp_servers`, `domain_search` (245 bytes in all, as in DNS) and `static_routes` by DHCP. Routes are of
        IPv4, since DHCPv6 has none; the default route stays the gateway's.
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.Subnet,
            Ask(
                "POST",
                "/v1/projects/{project}/networks/{network}/subnets",
                names={"network": network},
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
                    "labels": labels,
                },
                key=idempotency_key,
            ),
        )

    def get(self, network: str, subnet: str) -> models.Subnet:
        """GET /v1/projects/{project}/networks/{network}/subnets/{subnet}"""
        return self._scope.one(
            models.Subnet,
            Ask(
                "GET",
                "/v1/projects/{project}/networks/{network}/subnets/{subnet}",
                names={"network": network, "subnet": subnet},
            ),
        )

    def update(
        self,
        network: str,
        subnet: str,
        *,
        name: str | None = None,
        dns_servers: Sequence[str] | None = None,
        ntp_servers: Sequence[str] | None = None,
        domain_search: Sequence[str] | None = None,
        static_routes: Sequence[models.StaticRouteInput] | None = None,
        reserved_ranges: Sequence[str] | None = None,
        ipv6_cidr: str | None = None,
        ipv6_pool: str | None = None,
        labels: Mapping[str, str | None] | None = None,
        dry_run: bool = False,
        if_match: str | int | None = None,
    ) -> models.Subnet:
        """PATCH /v1/projects/{project}/networks/{network}/subnets/{subnet}

        Changes of a subnet. Ports with addresses in the new reserved ranges keep them.

        `ipv6_cidr` or `ipv6_pool` gives it another IPv6 range, and an empty `ipv6_cidr` removes the range: refused while a
        port has an address of the former one. Ports that exist already get IPv6 addresses by a change of their `addresses`.

        Nodes have other `dns_servers`, `ntp_servers`, `domain_search` and `static_routes` at once, and a guest learns of
        them when it renews its lease. An empty list: as at the creation without any.
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.Subnet,
            Ask(
                "PATCH",
                "/v1/projects/{project}/networks/{network}/subnets/{subnet}",
                names={"network": network, "subnet": subnet},
                query={"dry_run": dry_run or None},
                body={
                    "name": name,
                    "dns_servers": dns_servers,
                    "ntp_servers": ntp_servers,
                    "domain_search": domain_search,
                    "static_routes": static_routes,
                    "reserved_ranges": reserved_ranges,
                    "ipv6_cidr": ipv6_cidr,
                    "ipv6_pool": ipv6_pool,
                    "labels": labels,
                },
                if_match=if_match,
            ),
        )

    def delete(self, network: str, subnet: str, *, dry_run: bool = False, if_match: str | int | None = None) -> None:
        """DELETE /v1/projects/{project}/networks/{network}/subnets/{subnet}

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return cast(
            "None",
            self._scope.document(
                Ask(
                    "DELETE",
                    "/v1/projects/{project}/networks/{network}/subnets/{subnet}",
                    names={"network": network, "subnet": subnet},
                    query={"dry_run": dry_run or None},
                    if_match=if_match,
                )
            ),
        )
