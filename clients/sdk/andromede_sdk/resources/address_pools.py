# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from andromede_sdk import models
from andromede_sdk.resource import Ask, Labels, Listing, Moment, Resource


class AddressPools(Resource):
    def list(
        self,
        *,
        name: str | None = None,
        zone: str | None = None,
        family: str | None = None,
        purpose: str | None = None,
        created_after: Moment | None = None,
        labels: Labels | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.AddressPool]:
        """GET /v1/address-pools

        `name`: The pool of this name.
        `zone`: The pools of this zone.
        `family`: One of ipv4, ipv6.
        `purpose`: One of addresses, subnets.
        `created_after`: Created after this time (RFC 3339).
        `labels`: A selector: `env=prod,tier!=web,app in (a,b)`; all terms must match.
        `sort`: One of created_at, -created_at, name, -name.
        """
        return Listing(
            self._scope,
            models.AddressPool,
            Ask(
                "GET",
                "/v1/address-pools",
                query={
                    "name": name,
                    "zone": zone,
                    "family": family,
                    "purpose": purpose,
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
        zone: str,
        family: str,
        cidrs: Sequence[str],
        purpose: str | None = None,
        organization: str | None = None,
        reserved_ranges: Sequence[str] | None = None,
        community: str | None = None,
        local_preference: int | None = None,
        labels: Mapping[str, str] | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> models.AddressPool:
        """POST /v1/address-pools

        A pool of public addresses, which the announcers of its zone announce.

        `organization`: the only one that may use the pool; without it, all. `purpose`: `addresses`, which projects reserve,
        or `subnets`, for /64 ranges of IPv6 subnets. `reserved_ranges`: addresses that no project gets, each `first-last`.
        `community` (RFC 1997, AS:value) and `local_preference` (RFC 4271): attributes of the announcements.
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.AddressPool,
            Ask(
                "POST",
                "/v1/address-pools",
                query={"dry_run": dry_run or None},
                body={
                    "name": name,
                    "zone": zone,
                    "family": family,
                    "purpose": purpose,
                    "organization": organization,
                    "cidrs": cidrs,
                    "reserved_ranges": reserved_ranges,
                    "community": community,
                    "local_preference": local_preference,
                    "labels": labels,
                },
                key=idempotency_key,
            ),
        )

    def get(self, address_pool: str) -> models.AddressPool:
        """GET /v1/address-pools/{address_pool}"""
        return self._scope.one(
            models.AddressPool, Ask("GET", "/v1/address-pools/{address_pool}", names={"address_pool": address_pool})
        )

    def update(
        self,
        address_pool: str,
        *,
        name: str | None = None,
        cidrs: Sequence[str] | None = None,
        reserved_ranges: Sequence[str] | None = None,
        community: str | None = None,
        local_preference: int | None = None,
        labels: Mapping[str, str | None] | None = None,
        dry_run: bool = False,
        if_match: str | int | None = None,
    ) -> models.AddressPool:
        """PATCH /v1/address-pools/{address_pool}

        Changes of a pool. `cidrs` and `reserved_ranges` replace the former ones; a range in use can only grow.
        `dry_run`: true: only return what would happen; nothing is written.
        """
        return self._scope.one(
            models.AddressPool,
            Ask(
                "PATCH",
                "/v1/address-pools/{address_pool}",
                names={"address_pool": address_pool},
                query={"dry_run": dry_run or None},
                body={
                    "name": name,
                    "cidrs": cidrs,
                    "reserved_ranges": reserved_ranges,
                    "community": community,
                    "local_preference": local_preference,
                    "labels": labels,
                },
                if_match=if_match,
            ),
        )

    def delete(self, address_pool: str, *, dry_run: bool = False, if_match: str | int | None = None) -> None:
        """DELETE /v1/address-pools/{address_pool}

        `dry_run`: true: only return what would happen; nothing is written.
        """
        return cast(
            "None",
            self._scope.document(
                Ask(
                    "DELETE",
                    "/v1/address-pools/{address_pool}",
                    names={"address_pool": address_pool},
                    query={"dry_run": dry_run or None},
                    if_match=if_match,
                )
            ),
        )

    def reverse_zone(self, address_pool: str, *, name_servers: str, origin: str | None = None) -> str:
        """GET /v1/address-pools/{address_pool}/reverse-zone

        `origin`: The zone, one of the pool's `reverse_zones`; may be left out if the pool has one only.
        `name_servers`: Names of the zone's name servers, separated by commas, the primary first.
        """
        return self._scope.text(
            Ask(
                "GET",
                "/v1/address-pools/{address_pool}/reverse-zone",
                names={"address_pool": address_pool},
                query={"origin": origin, "name_servers": name_servers},
            )
        )

    def usable_list(
        self,
        *,
        name: str | None = None,
        zone: str | None = None,
        family: str | None = None,
        purpose: str | None = None,
        created_after: Moment | None = None,
        sort: str | None = None,
        page_size: int | None = None,
    ) -> Listing[models.UsableAddressPool]:
        """GET /v1/projects/{project}/address-pools

        `name`: The pool of this name.
        `zone`: The pools of this zone.
        `family`: One of ipv4, ipv6.
        `purpose`: One of addresses, subnets.
        `created_after`: Created after this time (RFC 3339).
        `sort`: One of created_at, -created_at, name, -name.
        """
        return Listing(
            self._scope,
            models.UsableAddressPool,
            Ask(
                "GET",
                "/v1/projects/{project}/address-pools",
                query={
                    "name": name,
                    "zone": zone,
                    "family": family,
                    "purpose": purpose,
                    "created_after": created_after,
                    "sort": sort,
                    "limit": page_size,
                },
            ),
        )
